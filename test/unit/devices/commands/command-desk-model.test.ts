import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Command, CommandAnswer, CommandSink, Handover } from '../../../../src/core/command.ts';
import { CommandDesk } from '../../../../src/devices/commands/command-desk.ts';
import { MemoryLogger } from '../../../support/memory-logger.ts';

const DEVICES = ['pump', 'lamp'];

type Step =
  | { readonly kind: 'give'; readonly device: string; readonly timeoutMs: number }
  | { readonly kind: 'come' | 'leave'; readonly sink: number; readonly device: string }
  | { readonly kind: 'answer' | 'cancel'; readonly pick: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'setClock'; readonly ms: number };

const device = fc.constantFrom(...DEVICES);
const pick = fc.nat(20);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('give' as const), device, timeoutMs: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ kind: fc.constantFrom('come' as const, 'leave' as const), sink: fc.nat(1), device }),
    fc.record({ kind: fc.constantFrom('answer' as const, 'cancel' as const), pick }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(30) }),
    fc.record({ kind: fc.constant('setClock' as const), ms: fc.integer({ min: 0, max: 4e12 }) }),
  ),
  { maxLength: 60 },
);

interface Written {
  readonly requestId: string;
  readonly at: number;
}

/** A way that takes its time, and looks again at what it was told to forget before it writes. */
class SlowSink implements CommandSink {
  readonly reached = new Set<string>();
  readonly written: Written[] = [];
  readonly answers = new Map<string, (answer: CommandAnswer) => void>();
  readonly #forgotten = new Set<string>();
  readonly #delayMs: number;

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  takes(): boolean {
    return false;
  }

  async send({ requestId, device: to }: Command, onAnswer: (answer: CommandAnswer) => void): Promise<Handover> {
    if (this.#delayMs > 0) await new Promise((done) => setTimeout(done, this.#delayMs));
    if (this.#forgotten.has(requestId) || !this.reached.has(to)) return 'unreachable';
    this.written.push({ requestId, at: performance.now() });
    this.answers.set(requestId, onAnswer);
    return 'sent';
  }

  forget(requestId: string): void {
    this.#forgotten.add(requestId);
    this.answers.delete(requestId);
  }
}

/** Plays the steps, and says what was written, by when it had to be, and what became of all. */
async function play(todo: readonly Step[]) {
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const desk = new CommandDesk({ clock, logger: new MemoryLogger() });
  const sinks = [new SlowSink(0), new SlowSink(7)];
  for (const sink of sinks) desk.addSink(sink);
  const given: { readonly requestId: string; readonly by: number }[] = [];
  for (const step of todo) {
    const requestId = 'pick' in step ? (given[step.pick % Math.max(given.length, 1)]?.requestId ?? '') : '';
    if (step.kind === 'give') {
      const { timeoutMs } = step;
      const by = performance.now() + timeoutMs;
      given.push({ requestId: desk.give({ device: step.device, name: 'do', params: null, timeoutMs }).requestId, by });
    } else if (step.kind === 'come') {
      sinks[step.sink]?.reached.add(step.device);
      desk.reachable(step.device);
    } else if (step.kind === 'leave') sinks[step.sink]?.reached.delete(step.device);
    else if (step.kind === 'answer') for (const sink of sinks) sink.answers.get(requestId)?.({ status: 200 });
    else if (step.kind === 'wait') await vi.advanceTimersByTimeAsync(step.ms);
    else if (step.kind === 'setClock') vi.setSystemTime(step.ms);
    else if (desk.get(requestId)?.finishedAt === null) desk.cancel(requestId);
    await vi.advanceTimersByTimeAsync(0);
  }
  await vi.advanceTimersByTimeAsync(100);
  return { desk, given, written: sinks.flatMap((sink) => sink.written) };
}

describe('the command desk, whatever happens', () => {
  it('has each command written once at most, before its deadline, and tells the truth about it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
    try {
      await fc.assert(
        fc.asyncProperty(steps, async (todo) => {
          const { desk, given, written } = await play(todo);
          for (const { requestId, by } of given) {
            const times = written.filter((one) => one.requestId === requestId);
            const view = desk.get(requestId);
            expect(times.length).toBeLessThanOrEqual(1);
            for (const { at } of times) expect(at).toBeLessThan(by);
            expect(view?.sentAt !== null).toBe(times.length === 1);
            expect(view?.state).toMatch(/^(?:done|expired|cancelled)$/);
            if (view?.state === 'done') expect(times).toHaveLength(1);
          }
          expect(desk.counts().unfinished).toBe(0);
        }),
        { numRuns: 300 },
      );
    } finally {
      vi.useRealTimers();
    }
  });
});
