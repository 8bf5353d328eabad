import { randomBytes } from 'node:crypto';
import { type CommandSink, MAX_COMMAND_BYTES } from '../../core/command.ts';
import type { CommandDoor, Commands, CommandView, FinalState, NewCommand } from '../../core/commands.ts';
import { SluiceError } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';
import type { Logger } from '../../platform/logger.ts';
import { FinishedCommands } from './finished-commands.ts';
import { type CommandClock, GivenCommand } from './given-command.ts';
import { jsonText } from './json-text.ts';

export interface CommandDeskOptions {
  readonly clock: CommandClock;
  readonly logger: Logger;
}

/** They bound the memory, whoever gives commands. */
export const COMMAND_LIMITS = {
  unfinishedPerDevice: 32,
  unfinished: 1_000,
  /** Parameters of those that are not finished. */
  unfinishedBytes: 8 * 1024 * 1024,
  finished: 1_000,
  finishedBytes: 8 * 1024 * 1024,
  finishedMs: 3_600_000,
} as const;

const RETRY_AFTER_MS = 1_000;

/** Commands to devices, from when they are given until somebody has looked at what became of them. In memory only. */
export class CommandDesk implements Commands, CommandDoor {
  readonly #options: CommandDeskOptions;
  readonly #sinks: CommandSink[] = [];
  readonly #unfinished = new Map<string, GivenCommand>();
  readonly #byDevice = new Map<string, Set<GivenCommand>>();
  readonly #kept: FinishedCommands;
  readonly #finishedCounts: Record<FinalState, number> = { done: 0, failed: 0, expired: 0, cancelled: 0 };
  #unfinishedBytes = 0;
  #lastNumber = 0;
  #stopped = false;

  constructor(options: CommandDeskOptions) {
    this.#options = options;
    this.#kept = new FinishedCommands({
      maxCount: COMMAND_LIMITS.finished,
      maxBytes: COMMAND_LIMITS.finishedBytes,
      keepMs: COMMAND_LIMITS.finishedMs,
      now: () => options.clock.monotonic(),
    });
  }

  /** Another way to devices; tried behind those that were added before. */
  addSink(sink: CommandSink): void {
    this.#sinks.push(sink);
    this.reachable(null);
  }

  /** For the sinks: a device, or with null any of them, may be reached now. */
  readonly reachable = (device: string | null): void => {
    const commands = device === null ? this.#unfinished.values() : (this.#byDevice.get(device) ?? []);
    for (const command of [...commands]) command.offer();
  };

  takes(device: string): boolean {
    return this.#sinks.some((sink) => sink.takes(device));
  }

  give({ device, name, params, timeoutMs, requestId = newRequestId(), isPublished }: NewCommand): CommandView {
    const paramsText = jsonText(params, MAX_COMMAND_BYTES);
    if (paramsText === undefined) throw tooLarge();
    if (this.#find(requestId) !== undefined) throw requestIdUsed();
    this.#checkRoom(device, paramsText);
    this.#lastNumber += 1;
    const command = new GivenCommand({
      number: this.#lastNumber,
      ...{ requestId, device, name, paramsText, timeoutMs },
      sinks: isPublished ? this.#sinks.filter((sink) => sink.takes(device)) : this.#sinks,
      clock: this.#options.clock,
      onFinished: (finished) => this.#finished(finished),
    });
    this.#add(command);
    command.start();
    return command.view();
  }

  get(requestId: string): CommandView | undefined {
    return this.#find(requestId)?.view();
  }

  list(device: string, before: number, limit: number): readonly CommandView[] {
    return [...(this.#byDevice.get(device) ?? []), ...this.#kept.of(device)]
      .filter(({ number }) => number < before)
      .sort((one, other) => other.number - one.number)
      .slice(0, limit)
      .map((command) => command.view());
  }

  async finished(requestId: string, withinMs: number): Promise<CommandView | undefined> {
    const command = this.#find(requestId);
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, withinMs);
    await Promise.race([command?.finished, late.promise]);
    clearTimeout(timer);
    if (this.#stopped && command?.isFinished === false) throw stopping();
    return command?.view();
  }

  cancel(requestId: string): CommandView | undefined {
    const command = this.#find(requestId);
    if (command === undefined) return undefined;
    if (command.isFinished) throw alreadyFinished(command);
    command.finish('cancelled');
    return command.view();
  }

  /** The device was removed: one that comes later under its id is another. */
  cancelAllOf(device: string): void {
    for (const command of [...(this.#byDevice.get(device) ?? [])]) command.finish('cancelled');
  }

  counts(): { readonly finished: Readonly<Record<FinalState, number>>; readonly unfinished: number } {
    return { finished: { ...this.#finishedCounts }, unfinished: this.#unfinished.size };
  }

  /** Nothing is given and nothing sent any more, and who waits is told so. */
  stop(): void {
    this.#stopped = true;
    const count = this.#unfinished.size;
    if (count > 0) this.#options.logger.warn({ count }, 'commands that wait for an answer are forgotten');
    for (const command of this.#unfinished.values()) command.abandon();
    this.#unfinished.clear();
    this.#byDevice.clear();
  }

  #find(requestId: string): GivenCommand | undefined {
    return this.#unfinished.get(requestId) ?? this.#kept.get(requestId);
  }

  #add(command: GivenCommand): void {
    const { requestId, device } = command;
    this.#unfinished.set(requestId, command);
    this.#byDevice.set(device, (this.#byDevice.get(device) ?? new Set()).add(command));
    this.#unfinishedBytes += command.waitingBytes;
  }

  #checkRoom(device: string, paramsText: string): void {
    if (this.#stopped) throw stopping();
    if ((this.#byDevice.get(device)?.size ?? 0) >= COMMAND_LIMITS.unfinishedPerDevice) throw tooMany();
    const isFull = this.#unfinishedBytes + paramsText.length > COMMAND_LIMITS.unfinishedBytes;
    if (isFull || this.#unfinished.size >= COMMAND_LIMITS.unfinished) throw full();
  }

  #finished(command: GivenCommand): void {
    const { requestId, device } = command;
    const { name, state, sentAt, status, error } = command.view();
    this.#unfinished.delete(requestId);
    this.#unfinishedBytes -= command.waitingBytes;
    const others = this.#byDevice.get(device);
    others?.delete(command);
    if (others?.size === 0) this.#byDevice.delete(device);
    this.#finishedCounts[state as FinalState] += 1;
    this.#kept.add(command);
    const told = error === null ? {} : { error: printable(error, 200) };
    const fields = { requestId, device, name, state, sent: sentAt !== null, status, ...told };
    this.#options.logger.info(fields, 'command finished');
  }
}

function newRequestId(): string {
  return randomBytes(16).toString('hex');
}

function requestIdUsed(): SluiceError {
  return new SluiceError('another command has this request id', {
    code: 'request_id_used',
    hint: 'Nothing was sent. Give each command an id of its own.',
  });
}

function tooLarge(): SluiceError {
  return new SluiceError('the parameters of the command are too large or nested too deeply', {
    code: 'command_too_large',
    hint: `Send at most ${MAX_COMMAND_BYTES} bytes of JSON.`,
  });
}

function tooMany(): SluiceError {
  return new SluiceError(`${COMMAND_LIMITS.unfinishedPerDevice} commands of this device wait for an answer already`, {
    code: 'too_many_commands',
    retryable: true,
    retryAfterMs: RETRY_AFTER_MS,
    hint: 'Wait until one is finished, or cancel one. GET /v1/devices/{id}/commands lists them.',
  });
}

function full(): SluiceError {
  return new SluiceError('as many commands wait for an answer as may', {
    code: 'commands_full',
    retryable: true,
    retryAfterMs: RETRY_AFTER_MS,
    hint: 'Nothing was sent. Give it again later, or give commands shorter times.',
  });
}

function alreadyFinished({ state }: GivenCommand): SluiceError {
  return new SluiceError(`the command is finished: ${state}`, {
    code: 'command_finished',
    hint: 'There is nothing left to cancel.',
  });
}

function stopping(): SluiceError {
  return new SluiceError('the gateway stops', { code: 'stopping', retryable: true });
}
