import { Buffer } from 'node:buffer';
import type { Command, CommandAnswer, Handover } from '../../../core/command.ts';
import { MAX_TIMER_MS } from '../../../platform/timers.ts';
import type { OpenPort } from '../open-port.ts';
import type { LineSettings } from '../options.ts';
import type { Receiver } from '../receiver.ts';
import type { Session } from '../session.ts';
import { Line, type Outcome } from './line.ts';
import type { ModbusOptions } from './options.ts';
import type { Group, Read } from './read-plan.ts';
import { type Request, readRequest, writeRequest } from './request.ts';
import { exceptionText, spanText, type Unit } from './unit.ts';
import { type Value, valuesOf } from './values.ts';
import { planWrite, type Write } from './write-plan.ts';
import { type PendingWrite, WriteQueue } from './write-queue.ts';

export interface ModbusSessionParts {
  readonly options: Pick<ModbusOptions, 'timeoutMs' | 'retries'>;
  readonly settings: LineSettings;
  readonly port: OpenPort;
  readonly units: readonly Unit[];
  readonly taker: Pick<Receiver, 'heard' | 'frame' | 'bad' | 'unanswered'>;
  readonly onReachable: (device: string) => void;
}

/** When what is to be polled. */
interface Turn {
  readonly unit: Unit;
  readonly group: Group;
  /** By the clock of `performance`. */
  dueAt: number;
}

/**
 * A port from when it was opened until it is closed, as master of its line: polls its units, one after the other, and
 * writes what commands say between two polls.
 */
export class ModbusSession implements Session {
  readonly #parts: ModbusSessionParts;
  readonly #line: Line;
  readonly #turns: readonly Turn[];
  readonly #writes = new WriteQueue();
  #wake: () => void = () => undefined;

  constructor(parts: ModbusSessionParts) {
    const { options, settings, port, taker } = parts;
    this.#parts = parts;
    this.#turns = parts.units.flatMap((unit) => unit.groups.map((group) => ({ unit, group, dueAt: 0 })));
    this.#line = new Line({
      port,
      settings,
      timeoutMs: options.timeoutMs,
      onBad: (reason, bytes) => taker.bad(reason, bytes),
      onLate: ({ bytes }) => taker.unanswered('late', bytes),
    });
  }

  opened(): void {
    void this.run();
    for (const { device } of this.#parts.units) if (device !== null) this.#parts.onReachable(device);
  }

  /** Resolves when the port is closed. Never rejects. */
  async run(): Promise<void> {
    const { closing } = this.#line;
    for (const turn of this.#turns) turn.dueAt = performance.now();
    while (!closing.aborted) {
      const turn = this.#nextTurn();
      // Of units that are only written, there is none.
      await this.#idle((turn?.dueAt ?? Number.POSITIVE_INFINITY) - performance.now());
      if (turn !== undefined && turn.dueAt <= performance.now() && !closing.aborted) await this.#take(turn);
      // Neither polls nor writes wait for all of the other.
      const write = this.#writes.take();
      if (write !== undefined) await this.#write(write);
    }
  }

  take(bytes: Buffer): undefined {
    this.#parts.taker.heard(bytes.length);
    this.#line.take(bytes);
  }

  closed(): void {
    this.#line.close();
    this.#writes.close();
    this.#wake();
    for (const unit of this.#parts.units) unit.portClosed();
  }

  answered(): Promise<void> {
    return Promise.resolve();
  }

  async send(command: Command, onAnswer: (answer: CommandAnswer) => void): Promise<Handover> {
    if (this.#line.closing.aborted) return 'unreachable';
    const planned = planWrite(this.#parts.units, command);
    if ('refusal' in planned) {
      onAnswer(planned.refusal);
      return 'unreachable';
    }
    const handover = this.#writes.add(planned.order, onAnswer);
    this.#wake();
    return await handover;
  }

  forget(requestId: string): void {
    this.#writes.forget(requestId);
  }

  async #idle(ms: number): Promise<void> {
    if (ms <= 0 || !this.#writes.isEmpty || this.#line.closing.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, Math.min(ms, MAX_TIMER_MS));
    await promise;
    clearTimeout(timer);
  }

  #nextTurn(): Turn | undefined {
    return this.#turns.reduce<Turn | undefined>(
      (first, other) => (first === undefined || other.dueAt < first.dueAt ? other : first),
      undefined,
    );
  }

  async #take(turn: Turn): Promise<void> {
    await this.#poll(turn);
    // On a line that is slower than its intervals each has its turn, and none is made up for.
    turn.dueAt = Math.max(turn.dueAt + turn.group.intervalMs, performance.now());
  }

  /** One record of what was answered; none of nothing. */
  async #poll({ unit, group }: Turn): Promise<void> {
    const values = new Map<string, Value>();
    for (const read of group.reads) {
      const outcome = await this.#ask(unit, read);
      // What it did not answer now it would not the next moment, and others wait for the line.
      if (outcome.kind === 'silent' || outcome.kind === 'closed') break;
      if (outcome.kind === 'data') for (const [name, value] of valuesOf(read, outcome.data)) values.set(name, value);
    }
    if (values.size === 0) return;
    const ordered = group.registers.flatMap(({ name }) => (values.has(name) ? [[name, values.get(name)]] : []));
    this.#parts.taker.frame(Buffer.from(JSON.stringify(Object.fromEntries(ordered))), unit, unit.channel);
  }

  async #ask(unit: Unit, read: Read): Promise<Outcome> {
    const outcome = await this.#request(unit, readRequest(unit.unitId, read));
    if (outcome.kind === 'data') unit.answered(read, undefined);
    if (outcome.kind === 'exception') {
      unit.answered(read, outcome.code);
      this.#parts.taker.unanswered('exception', outcome.bytes);
    }
    return outcome;
  }

  /** What it writes is read at once, so that nobody takes an old value for the present one. */
  async #write(write: PendingWrite): Promise<void> {
    const { unit, writes } = write.order;
    const done = new Map<string, Value>();
    for (const each of writes) {
      const failure = await this.#writeOne(write, each);
      if (failure !== undefined) {
        write.answer({ ...failure, error: failure.error + soFar(done) });
        break;
      }
      for (const [name, value] of each.values) done.set(name, value);
    }
    write.answer({ status: 200, result: Object.fromEntries(done) });
    for (const turn of this.#turns) {
      if (turn.unit === unit && turn.group.registers.some(({ name }) => done.has(name))) turn.dueAt = performance.now();
    }
  }

  async #writeOne(write: PendingWrite, { span }: Write): Promise<Failure | undefined> {
    const { unit } = write.order;
    // The answer to a single one looks like the request, which the line may hear as well.
    const isKnown = this.#line.hearsItself !== undefined;
    const isSingle = span.count === 1 && !unit.options.writeMultiple && isKnown;
    const request = writeRequest(unit.unitId, span, isSingle);
    const outcome = await this.#request(unit, request, () => write.begins());
    switch (outcome.kind) {
      case 'data':
        unit.heard();
        return undefined;
      case 'exception':
        unit.heard();
        this.#parts.taker.unanswered('exception', outcome.bytes);
        return { status: 502, error: `${spanText(span)}: ${exceptionText(outcome.code)}` };
      case 'silent':
      case 'closed':
      case 'unwanted':
        return { status: 504, error: `${spanText(span)}: unit ${unit.unitId} does not answer` };
    }
  }

  async #request(unit: Unit, request: Request, begins?: () => boolean): Promise<Outcome> {
    // A unit that is off would cost the others the time of all its retries.
    const attempts = unit.isSilent ? 1 : 1 + this.#parts.options.retries;
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#line.ask(request, begins);
      if (outcome.kind !== 'silent') return outcome;
      this.#parts.taker.unanswered('timeout', request.bytes);
      if (attempt >= attempts) {
        unit.silent();
        return outcome;
      }
    }
  }
}

interface Failure {
  readonly status: number;
  readonly error: string;
}

function soFar(done: ReadonlyMap<string, Value>): string {
  return done.size === 0 ? '' : `; written before: ${[...done.keys()].join(', ')}`;
}
