import { setTimeout as delay } from 'node:timers/promises';
import type { CommandSink } from '../../core/command.ts';
import { messageOf } from '../../core/errors.ts';
import { channelOfKey } from '../../core/frame-key.ts';
import type { FrameIntake, Stage } from '../../core/ports.ts';
import type { Handshake } from '../../core/record.ts';
import { serialChannel, unitChannel } from '../../core/serial-channel.ts';
import type { SerialPortView, Speakers } from '../../core/views.ts';
import type { Logger } from '../../platform/logger.ts';
import type { RepeatSummary } from '../../platform/repeat-summary.ts';
import type { Pause } from './answers.ts';
import { CommandBook } from './commands/command-book.ts';
import { PortCommands } from './commands/port-commands.ts';
import { createFraming } from './framing/create-framing.ts';
import type { Framing } from './framing/framing.ts';
import { lineMs } from './line-time.ts';
import { isPattern, type MatchingPath, matchingPaths } from './matching-paths.ts';
import { ModbusSession } from './modbus/modbus-session.ts';
import type { ModbusOptions } from './modbus/options.ts';
import { Unit } from './modbus/unit.ts';
import { planWrite, refusalOf } from './modbus/write-plan.ts';
import type { LineSettings, PortOptions } from './options.ts';
import { Port, type PortParts } from './port.ts';
import { PortSession } from './port-session.ts';
import type { OpenReading } from './reading/port-reading.ts';
import { readHere } from './reading/read-here.ts';
import { Receiver } from './receiver.ts';

export interface SerialSourceOptions {
  readonly ports: readonly PortOptions[];
  readonly intake: FrameIntake;
  readonly speakers: Speakers;
  /** Who reads the ports; the thread of the source when left out. */
  readonly openReading?: OpenReading;
  /** A device may be worth a command that could not reach it. */
  readonly onReachable: (device: string) => void;
  /** Frames that the store knows from before. */
  readonly knownFrames: readonly Handshake[];
  readonly logger: Logger;
  readonly repeats: Pick<RepeatSummary, 'warn'>;
  /** UTC milliseconds. */
  readonly now: () => number;
}

/** How often it is looked whether something new fits a pattern. */
const LOOK_MS = 500;
/** Of one pattern, over all the time that the gateway runs. */
const MAX_MATCHES = 256;
/** For what waits for the store when the gateway stops. */
const STOP_MS = 1_500;
const STOP_LOOK_MS = 20;

interface Running {
  readonly port: Port;
  readonly receiver: Receiver;
}

/** What is done with a port when it is open, and said of commands when it is not. */
type Ways = Pick<PortParts, 'begin' | 'refusal'>;

interface Polled {
  readonly line: LineSettings;
  readonly modbus: ModbusOptions;
}

/** The serial source: every port of the configuration, whether it is there or not. */
export class SerialSource implements Stage {
  readonly #options: SerialSourceOptions;
  readonly #known: ReadonlyMap<string, readonly Handshake[]>;
  readonly #running = new Map<string, Running>();
  readonly #ending = new AbortController();
  readonly #lives: Promise<void>[] = [];
  /** The way of commands to the devices of all ports. */
  readonly commands: CommandSink = new PortCommands(() => [...this.#running.values()].map(({ port }) => port));

  constructor(options: SerialSourceOptions) {
    this.#options = options;
    this.#known = Map.groupBy(options.knownFrames, (key) => channelOfKey(key) ?? '');
  }

  /** Ports are opened when they are there. */
  async start(): Promise<void> {
    this.#forgetOthers();
    for (const options of this.#options.ports) {
      if (isPattern(options.path)) this.#lives.push(this.#watch(options));
      else this.#run(options, { path: options.path, port: undefined });
    }
  }

  /** What was heard is stored and answered, as far as that is possible in a moment; then all ports are closed. */
  async stop(): Promise<void> {
    const running = [...this.#running.values()];
    for (const { receiver } of running) receiver.stop();
    const givenUpAt = performance.now() + STOP_MS;
    while (running.some(({ receiver }) => !receiver.isIdle) && performance.now() < givenUpAt) await delay(STOP_LOOK_MS);
    const answered = Promise.all(running.map(({ port }) => port.answered()));
    await Promise.race([answered, delay(Math.max(0, givenUpAt - performance.now()), undefined, { ref: false })]);
    for (const { receiver } of running) this.#tellUnstored(receiver);
    this.#ending.abort();
    await Promise.all(this.#lives);
  }

  /** What waits is still stored when there is room before the store is closed; nobody is there to say so then. */
  #tellUnstored(receiver: Receiver): void {
    const unstored = receiver.unstored();
    if (unstored === undefined) return;
    const fields = { port: receiver.name, ...unstored };
    this.#options.logger.error(fields, 'frames of a serial port are lost, unless the store takes them while it stops');
  }

  /** In the order in which they were first seen. */
  ports(): readonly SerialPortView[] {
    return [...this.#running.values()].map(({ port }) => port.view());
  }

  /** Those that match a pattern come and go. */
  async #watch(options: PortOptions): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      for (const found of await this.#look(options.path)) this.#run(options, found);
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(path: string): Promise<readonly MatchingPath[]> {
    try {
      return await matchingPaths(path);
    } catch (error) {
      this.#options.repeats.warn(
        `look ${path}`,
        { path, reason: messageOf(error) },
        'serial ports cannot be looked for',
      );
      return [];
    }
  }

  #run(options: PortOptions, { path, port: matched }: MatchingPath): void {
    const channel = serialChannel(options.name, matched);
    if (this.#running.has(channel) || this.#ending.signal.aborted) return;
    const { intake, openReading = readHere, logger, repeats, now } = this.#options;
    const ofPattern = [...this.#running.keys()].filter((other) => other.startsWith(serialChannel(options.name, '')));
    if (ofPattern.length >= MAX_MATCHES) {
      repeats.warn(
        `full ${options.name}`,
        { port: options.name, path },
        'too many ports match a pattern: this one is not read',
      );
      return;
    }
    const known = this.#known.get(channel) ?? [];
    const receiver = new Receiver({ options, channel, intake, known, now });
    const units = this.#units(options, channel);
    const device = intake.deviceOf(channel);
    const ways =
      options.modbus === undefined
        ? this.#listening(options, receiver, device)
        : this.#polling({ line: options.line, modbus: options.modbus }, receiver, units);
    const port = new Port({ options, path, ...ways, openReading, receiver, device, units, logger, repeats });
    this.#running.set(channel, { port, receiver });
    this.#lives.push(port.run(this.#ending.signal));
  }

  #listening(options: PortOptions, taker: Receiver, device: string | null): Ways {
    const { speakers, onReachable } = this.#options;
    const { readyAfterMs } = options;
    const framing = createFraming(options.framing);
    const commands = new CommandBook(taker.name, options.commands, framing);
    const pause = pauseOf(framing, options.line);
    const parts = { framing, pause, taker, speakers, device, commands, readyAfterMs, onReachable };
    return {
      begin: (port) => new PortSession({ ...parts, port }),
      refusal: (command) => commands.refusal(command),
    };
  }

  #polling({ line, modbus }: Polled, taker: Receiver, units: readonly Unit[]): Ways {
    const { onReachable } = this.#options;
    return {
      begin: (port) => new ModbusSession({ options: modbus, settings: line, port, units, taker, onReachable }),
      refusal: (command) => refusalOf(planWrite(units, command)),
    };
  }

  #units({ modbus }: PortOptions, channel: string): readonly Unit[] {
    const { intake, speakers, logger, repeats, now } = this.#options;
    return (modbus?.units ?? []).map((options) => {
      const ofUnit = unitChannel(channel, options.unitId);
      const device = intake.deviceOf(ofUnit);
      return new Unit({ options, channel: ofUnit, device, speakers, logger, repeats, now });
    });
  }

  /** Frames of ports that are not configured any more, or not to be numbered. */
  #forgetOthers(): void {
    const names = this.#options.ports.filter(({ frameWindow }) => frameWindow !== undefined).map(({ name }) => name);
    const isKept = (channel: string): boolean =>
      names.some((name) => channel === serialChannel(name) || channel.startsWith(serialChannel(name, '')));
    for (const [channel, keys] of this.#known) {
      if (isKept(channel)) continue;
      for (const { clientId, packetId } of keys) {
        // It can only fail when the store is gone, and the process with it.
        void this.#options.intake.release(clientId, packetId).catch(() => undefined);
      }
    }
  }
}

/** The system has taken bytes before they are on the line. */
function pauseOf({ pauseMs }: Framing, line: LineSettings): Pause | undefined {
  return pauseMs === undefined ? undefined : (byteCount) => lineMs(line, byteCount) + pauseMs;
}
