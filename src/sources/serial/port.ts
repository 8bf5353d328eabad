import type { Command, CommandAnswer, Handover } from '../../core/command.ts';
import type { SluiceError } from '../../core/errors.ts';
import type { SerialPortView } from '../../core/views.ts';
import type { Logger } from '../../platform/logger.ts';
import type { RepeatSummary } from '../../platform/repeat-summary.ts';
import type { Unit } from './modbus/unit.ts';
import { type OpenPort, openPort } from './open-port.ts';
import type { PortOptions } from './options.ts';
import { PortLife, type PortState } from './port-life.ts';
import type { OpenReading } from './reading/port-reading.ts';
import type { Receiver } from './receiver.ts';
import type { Session } from './session.ts';

export interface PortParts {
  readonly options: PortOptions;
  readonly path: string;
  /** Begins when the port was opened. */
  readonly begin: (port: OpenPort) => Session;
  readonly openReading: OpenReading;
  readonly receiver: Receiver;
  /** Whose its frames are; null when only they say it. */
  readonly device: string | null;
  /** Those that are polled on the line. */
  readonly units: readonly Unit[];
  /** Why a command cannot be written, whether the port is open or not. */
  readonly refusal: (command: Command) => CommandAnswer | undefined;
  readonly logger: Logger;
  readonly repeats: Pick<RepeatSummary, 'warn'>;
}

/** Behind it a few milliseconds change nothing. */
const LONG_GAP_MS = 100;

const GONE = {
  gone: 'a serial port is gone',
  silent: 'a serial port says nothing for too long and is opened again',
} as const;

/** One serial port of the configuration, or one of those that a pattern stands for. */
export class Port {
  readonly #parts: PortParts;
  #session: Session | undefined;
  #error: SluiceError | undefined;
  #openCount = 0;

  constructor(parts: PortParts) {
    this.#parts = parts;
  }

  /** Resolves when the signal is aborted and the port closed. Never rejects. */
  run(ending: AbortSignal): Promise<void> {
    const { options, path, openReading } = this.#parts;
    const life = new PortLife({
      options: { ...options, path, isPrompt: dependsOnTime(options) },
      open: (port) => openPort(port, openReading),
      listen: (port) => this.#listen(port),
      onState: (state) => this.#changed(state),
    });
    return life.run(ending);
  }

  /** Resolves when no answer waits to be written. */
  async answered(): Promise<void> {
    await this.#session?.answered();
  }

  /** Whether commands to the device are written to this port. One that has none is no way for them: another may be. */
  takesCommandsOf(device: string): boolean {
    const { options, device: only, units } = this.#parts;
    if (options.modbus !== undefined) return units.some((unit) => unit.device === device && unit.isWritable);
    return options.commands.length > 0 && (only === device || this.#session?.isOf?.(device) === true);
  }

  get isOpen(): boolean {
    return this.#session !== undefined;
  }

  /** As a `CommandSink` does. */
  async send(command: Command, onAnswer: (answer: CommandAnswer) => void): Promise<Handover> {
    if (this.#session !== undefined) return await this.#session.send(command, onAnswer);
    const refusal = this.#parts.refusal(command);
    if (refusal !== undefined) onAnswer(refusal);
    return 'unreachable';
  }

  forget(requestId: string): void {
    this.#session?.forget(requestId);
  }

  view(): SerialPortView {
    const { path, device, receiver, units } = this.#parts;
    const state = this.#session !== undefined ? 'open' : this.#error === undefined ? 'absent' : 'refused';
    return {
      name: receiver.name,
      path,
      device,
      state,
      reason: this.#error === undefined ? null : reasonOf(this.#error),
      reconnectCount: Math.max(0, this.#openCount - 1),
      ...receiver.counts(),
      units: units.map((unit) => unit.view()),
    };
  }

  #listen(port: OpenPort): Session {
    const session = this.#parts.begin(port);
    this.#session = session;
    this.#openCount += 1;
    session.opened();
    return session;
  }

  #changed(state: PortState): void {
    const { logger, repeats, path, receiver } = this.#parts;
    const fields = { port: receiver.name, path };
    if (state.kind !== 'open') this.#session = undefined;
    this.#error = state.kind === 'refused' ? state.error : undefined;
    if (state.kind === 'open' && this.#openCount === 0) logger.info(fields, 'serial port open');
    else if (state.kind === 'open') repeats.warn(`open ${path}`, fields, 'a serial port is open again');
    else if (state.kind === 'refused') {
      repeats.warn(`refused ${path}`, { ...fields, reason: reasonOf(state.error) }, 'a serial port cannot be opened');
    } else if (state.kind === 'absent' && this.#openCount === 0) logger.warn(fields, 'a serial port is not there');
    else if (state.kind === 'closed' && state.end !== 'stopped')
      repeats.warn(`${state.end} ${path}`, fields, GONE[state.end]);
  }
}

/** A short silence ends a frame, or an answer is waited for. */
function dependsOnTime({ framing, modbus }: PortOptions): boolean {
  const gapMs = 'gapMs' in framing ? framing.gapMs : 0;
  return modbus !== undefined || (gapMs > 0 && gapMs < LONG_GAP_MS);
}

function reasonOf({ message, hint }: SluiceError): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}
