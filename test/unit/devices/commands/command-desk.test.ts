import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommandSink } from '../../../../src/core/command.ts';
import type { CommandView, NewCommand } from '../../../../src/core/commands.ts';
import type { SluiceError } from '../../../../src/core/errors.ts';
import { COMMAND_LIMITS, CommandDesk } from '../../../../src/devices/commands/command-desk.ts';
import { FakeSink } from '../../../support/fake-sink.ts';
import { MemoryLogger } from '../../../support/memory-logger.ts';

const START = Date.UTC(2026, 4, 1, 12);

describe('the command desk', () => {
  let desk: CommandDesk;
  let sink: FakeSink;
  let logger: MemoryLogger;
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };

  beforeEach(() => {
    vi.useFakeTimers({ now: START, toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
    logger = new MemoryLogger();
    desk = new CommandDesk({ clock, logger });
    sink = new FakeSink();
    desk.addSink(sink);
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  const give = (changes: Partial<NewCommand> = {}): CommandView =>
    desk.give({ device: 'pump', name: 'open', params: { valve: 3 }, timeoutMs: 5_000, ...changes });
  const settle = () => vi.advanceTimersByTimeAsync(0);
  const now = ({ requestId }: CommandView) => desk.get(requestId);
  const codeOf = (work: () => unknown): string => {
    try {
      work();
      return 'none';
    } catch (error) {
      return (error as SluiceError).code;
    }
  };

  it('hands a command over at once, and says what the device made of it', async () => {
    sink.reached.add('pump');
    const given = give();
    expect(given).toMatchObject({ state: 'queued', createdAt: START, deadline: START + 5_000, sentAt: null });
    expect(given.requestId).toMatch(/^[0-9a-f]{32}$/);
    await settle();
    const { requestId } = given;
    expect(sink.sent).toEqual([
      { requestId, device: 'pump', name: 'open', params: { valve: 3 }, timeoutMs: 5_000, deadline: START + 5_000 },
    ]);
    expect(now(given)).toMatchObject({ state: 'sent', sentAt: START, finishedAt: null });
    await vi.advanceTimersByTimeAsync(100);
    sink.answer({ status: 200, result: { open: true } });
    expect(now(given)).toMatchObject({
      ...{ state: 'done', status: 200, result: { open: true }, error: null },
      finishedAt: START + 100,
    });
    expect(sink.forgotten).toEqual([requestId]);
    expect(logger.lines.at(-1)).toMatchObject({
      message: 'command finished',
      fields: { requestId, state: 'done', sent: true },
    });
  });

  it.each([
    [204, 'done'],
    [299, 'done'],
    [300, 'failed'],
    [404, 'failed'],
    [500, 'failed'],
  ])('takes the status %i for %s', async (status, state) => {
    sink.reached.add('pump');
    const given = give();
    await settle();
    sink.answer({ status, error: 'stuck' });
    expect(now(given)).toMatchObject({ state, status, result: null, error: 'stuck' });
  });

  it('keeps a command until its device is reachable, and says how much time is left then', async () => {
    const given = give();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(now(given)).toMatchObject({ state: 'queued', sentAt: null });
    sink.reached.add('pump');
    desk.reachable('lamp');
    await settle();
    expect(sink.sent).toEqual([]);
    desk.reachable('pump');
    await settle();
    expect(sink.sent).toMatchObject([{ timeoutMs: 2_000, deadline: START + 5_000 }]);
    expect(now(given)).toMatchObject({ state: 'sent', sentAt: START + 3_000 });
  });

  it('sends what waits in the order in which it was given, when any device may be reachable', async () => {
    for (const name of ['first', 'second', 'third']) give({ name });
    sink.reached.add('pump');
    desk.reachable(null);
    await settle();
    expect(sink.sent.map(({ name }) => name)).toEqual(['first', 'second', 'third']);
  });

  it('expires a command by its deadline, and never sends it after that', async () => {
    const waiting = give();
    sink.reached.add('lamp');
    const sent = give({ device: 'lamp' });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(now(waiting)).toMatchObject({ state: 'expired', sentAt: null, status: null, finishedAt: START + 5_000 });
    expect(now(sent)).toMatchObject({ state: 'expired', sentAt: START });
    sink.reached.add('pump');
    desk.reachable('pump');
    sink.answer({ status: 200 });
    await settle();
    expect(sink.sent).toHaveLength(1);
    expect(now(sent)).toMatchObject({ state: 'expired', status: null });
  });

  it('sends nothing at the deadline, when the timer is late', async () => {
    give();
    let monotonic = performance.now();
    clock.monotonic = () => monotonic;
    monotonic += 5_000;
    sink.reached.add('pump');
    desk.reachable('pump');
    await settle();
    expect(sink.sent).toEqual([]);
    clock.monotonic = () => performance.now();
  });

  it('minds no clock that is set', async () => {
    const given = give();
    vi.setSystemTime(START + 86_400_000 * 365);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(now(given)?.state).toBe('queued');
    vi.setSystemTime(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(now(given)?.state).toBe('expired');
  });

  it('tells the device its deadline by the clock as it is set when the command is sent', async () => {
    const given = give();
    await vi.advanceTimersByTimeAsync(1_000);
    vi.setSystemTime(START + 3_600_000);
    sink.reached.add('pump');
    desk.reachable('pump');
    await settle();
    expect(sink.sent).toMatchObject([{ timeoutMs: 4_000, deadline: START + 3_604_000 }]);
    expect(now(given)).toMatchObject({ createdAt: START, deadline: START + 3_604_000 });
  });

  it('tries the ways in turn, and sends over one of them only', async () => {
    const other = new FakeSink();
    desk.addSink(other);
    other.reached.add('pump');
    give();
    await settle();
    expect([sink.offeredCount, other.sent.length]).toEqual([1, 1]);
    sink.reached.add('pump');
    desk.reachable('pump');
    await settle();
    expect(sink.sent).toEqual([]);
  });

  it('offers a command once at a time, and again when its device came while a way was busy', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    sink.hold = promise;
    const given = give();
    for (let i = 0; i < 5; i += 1) desk.reachable('pump');
    expect(sink.offeredCount).toBe(1);
    resolve();
    sink.hold = null;
    await settle();
    expect(sink.offeredCount).toBe(2);
    sink.reached.add('pump');
    desk.reachable('pump');
    await settle();
    expect(sink.sent).toHaveLength(1);
    expect(now(given)?.state).toBe('sent');
  });

  it('does not lose a device that comes in the moment in which it was found away', async () => {
    const send = sink.send.bind(sink);
    sink.send = async (command, onAnswer) => {
      const handover = await send(command, onAnswer);
      if (sink.offeredCount === 1) {
        sink.reached.add('pump');
        queueMicrotask(() => desk.reachable('pump'));
      }
      return handover;
    };
    give();
    await settle();
    expect(sink.sent).toHaveLength(1);
  });

  it('takes an answer that comes before the way says that the command is sent', async () => {
    sink.send = async (_command, onAnswer) => {
      onAnswer({ status: 200, result: 1 });
      return 'sent';
    };
    const given = give();
    await settle();
    expect(now(given)).toMatchObject({ state: 'done', sentAt: START, result: 1 });
  });

  it('does not say of a command that a way can never write that it was sent', async () => {
    const hopeless: CommandSink = {
      takes: () => false,
      send: async (_, onAnswer) => {
        onAnswer({ status: 400, error: 'no valve', isUnsent: true });
        return 'unreachable';
      },
      forget: () => undefined,
    };
    desk.addSink(hopeless);
    const given = give();
    await settle();
    expect(now(given)).toMatchObject({ state: 'failed', status: 400, error: 'no valve', sentAt: null });
  });

  it('cancels what waits for its device or for an answer, and says when it is too late', async () => {
    const waiting = give();
    expect(desk.cancel(waiting.requestId)).toMatchObject({ state: 'cancelled', sentAt: null, finishedAt: START });
    sink.reached.add('pump');
    desk.reachable('pump');
    const sent = give();
    await settle();
    expect(sink.sent.map(({ requestId }) => requestId)).toEqual([sent.requestId]);
    expect(desk.cancel(sent.requestId)).toMatchObject({ state: 'cancelled', sentAt: START });
    expect(sink.forgotten).toEqual([waiting.requestId, sent.requestId]);
    expect(codeOf(() => desk.cancel(sent.requestId))).toBe('command_finished');
    expect(desk.cancel('nothing')).toBeUndefined();
  });

  it('tells of a cancelled command whether it was written all the same', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    sink.send = async () => {
      await promise;
      return 'sent';
    };
    const given = give();
    desk.cancel(given.requestId);
    resolve();
    await settle();
    expect(now(given)).toMatchObject({ state: 'cancelled', sentAt: START });
  });

  it('cancels the commands of a device that is removed', () => {
    const given = give();
    const other = give({ device: 'lamp' });
    desk.cancelAllOf('pump');
    expect([now(given)?.state, now(other)?.state]).toEqual(['cancelled', 'queued']);
  });

  it('lets others wait for the end, for so long', async () => {
    sink.reached.add('pump');
    const given = give();
    const late = desk.finished(given.requestId, 1_000);
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await late)?.state).toBe('sent');
    const inTime = desk.finished(given.requestId, 1_000);
    sink.answer({ status: 200 });
    expect((await inTime)?.state).toBe('done');
    expect((await desk.finished(given.requestId, 1_000))?.state).toBe('done');
    expect(await desk.finished('nothing', 1_000)).toBeUndefined();
  });

  it('lists the commands of a device, newest first', async () => {
    const first = give();
    give({ device: 'lamp' });
    const second = give();
    desk.cancel(second.requestId);
    const third = give();
    expect(desk.list('pump', Number.MAX_SAFE_INTEGER, 2).map(({ requestId }) => requestId)).toEqual([
      third.requestId,
      second.requestId,
    ]);
    expect(desk.list('pump', second.number, 2).map(({ requestId }) => requestId)).toEqual([first.requestId]);
    expect(desk.list('nobody', 9, 2)).toEqual([]);
  });

  it('gives what was published only ways that take it, by the request id that it has', async () => {
    const other = new FakeSink();
    desk.addSink(other);
    for (const way of [sink, other]) way.reached.add('pump');
    expect(desk.takes('pump')).toBe(false);
    other.taken.add('pump');
    expect([desk.takes('pump'), desk.takes('lamp')]).toEqual([true, false]);
    const given = give({ requestId: 'button-7', isPublished: true });
    await settle();
    expect([sink.offeredCount, other.sent.map(({ requestId }) => requestId)]).toEqual([0, ['button-7']]);
    expect(now(given)).toMatchObject({ requestId: 'button-7', state: 'sent' });
  });

  it('gives nothing by a request id that is known, finished or not', async () => {
    const { requestId } = give({ requestId: 'button-7' });
    expect(codeOf(() => give({ requestId, device: 'lamp' }))).toBe('request_id_used');
    desk.cancel(requestId);
    expect(codeOf(() => give({ requestId }))).toBe('request_id_used');
    await vi.advanceTimersByTimeAsync(COMMAND_LIMITS.finishedMs);
    expect(codeOf(() => give({ requestId }))).toBe('none');
  });

  it('holds so many unfinished commands for a device, and so many for all', () => {
    const given = Array.from({ length: COMMAND_LIMITS.unfinishedPerDevice }, () => give());
    expect(codeOf(() => give())).toBe('too_many_commands');
    desk.cancel(given[0]?.requestId ?? '');
    expect(codeOf(() => give())).toBe('none');
    for (let i = 0; desk.counts().unfinished < COMMAND_LIMITS.unfinished; i += 1) give({ device: `d${i}` });
    expect(codeOf(() => give({ device: 'one-more' }))).toBe('commands_full');
  });

  it('holds so many bytes of parameters, and has room again when they are finished', async () => {
    const params = 'x'.repeat(60_000);
    let count = 0;
    while (codeOf(() => give({ device: `d${count}`, params })) === 'none') count += 1;
    expect(count * params.length).toBeLessThanOrEqual(COMMAND_LIMITS.unfinishedBytes);
    expect(count).toBeGreaterThan(100);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(codeOf(() => give({ params }))).toBe('none');
  });

  it.each([
    ['more than 64 KiB', 'x'.repeat(65_536)],
    ['nested more than 64 times', JSON.parse('['.repeat(65) + ']'.repeat(65))],
  ])('takes no parameters of %s', (_, params) => {
    expect(codeOf(() => give({ params }))).toBe('command_too_large');
  });

  it('keeps no result that is too large, and says so', async () => {
    sink.reached.add('pump');
    const given = give();
    await settle();
    sink.answer({ status: 200, result: 'x'.repeat(70_000) });
    expect(now(given)).toMatchObject({ state: 'failed', status: 502, result: null });
    expect(now(given)?.error).toMatch(/larger than 65536 bytes/);
  });

  it('forgets the finished ones that came first, and all of them after an hour', async () => {
    const given = Array.from({ length: COMMAND_LIMITS.finished + 1 }, () => {
      const one = give();
      desk.cancel(one.requestId);
      return one;
    });
    expect(given.slice(0, 2).map((one) => now(one)?.state)).toEqual([undefined, 'cancelled']);
    await vi.advanceTimersByTimeAsync(COMMAND_LIMITS.finishedMs);
    expect(given.map((one) => now(one)?.state).filter(Boolean)).toEqual([]);
    expect(desk.counts()).toMatchObject({ unfinished: 0, finished: { cancelled: COMMAND_LIMITS.finished + 1 } });
  });

  it('writes nothing into the log that a device chose, as it is', async () => {
    sink.reached.add('pump');
    give();
    await settle();
    sink.answer({ status: 500, error: `bad\u001b[31m\n${'x'.repeat(999)}` });
    const { error } = logger.lines.at(-1)?.fields ?? {};
    expect(error).toMatch(/^bad\\u\{1b\}\[31m\\u\{a\}x{1,200}…$/);
  });

  it('sends and takes nothing any more once it is stopped, and tells who waits', async () => {
    const given = give();
    const waiting = desk.finished(given.requestId, 5_000).catch(({ code }: SluiceError) => code);
    desk.stop();
    expect(await waiting).toBe('stopping');
    expect(logger.lines.at(-1)).toMatchObject({ level: 'warn', fields: { count: 1 } });
    sink.reached.add('pump');
    desk.reachable('pump');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(sink.sent).toEqual([]);
    expect(sink.forgotten).toEqual([given.requestId]);
    expect(codeOf(() => give())).toBe('stopping');
  });
});
