import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Command, CommandAnswer, CommandSink } from '../../src/core/command.ts';

export interface SinkUnderTest {
  readonly sink: CommandSink;
  /** What it told of devices that may be reached. */
  readonly told: readonly (string | null)[];
  /** Whether it takes commands that were published, to `pump` and `lamp`. */
  readonly takes: boolean;
  connect(device: string): Promise<void>;
  disconnect(device: string): Promise<void>;
  /** Request ids of what was written to the device, once it has read all of it. */
  received(device: string): Promise<readonly string[]>;
  /** Resolves when the sink has heard it. */
  answer(device: string, requestId: string, answer: CommandAnswer): Promise<void>;
  close(): Promise<void>;
}

let lastId = 0;

function command(device: string): Command {
  lastId += 1;
  const requestId = `request-${lastId}`;
  return { requestId, device, name: 'open', params: { n: lastId }, timeoutMs: 60_000, deadline: Date.now() + 60_000 };
}

/** What every way to devices promises to the command desk. */
export function commandSinkContract(name: string, open: () => Promise<SinkUnderTest>): void {
  describe(`the way to devices: ${name}`, () => {
    let tested: SinkUnderTest;
    let answers: string[];

    beforeEach(async () => {
      answers = [];
      tested = await open();
    });
    afterEach(() => tested.close());

    const send = (given: Command) =>
      tested.sink.send(given, ({ status, result }) =>
        answers.push(`${given.requestId} ${status} ${JSON.stringify(result)}`),
      );

    it('says that a device is not to be reached, and writes nothing then or later', async () => {
      await tested.connect('lamp');
      const given = command('pump');
      expect(await send(given)).toBe('unreachable');
      await tested.connect('pump');
      tested.sink.forget(given.requestId);
      expect([await tested.received('pump'), await tested.received('lamp')]).toEqual([[], []]);
    });

    it('tells when a device may be reached, and then it can be', async () => {
      await tested.connect('pump');
      expect(tested.told.filter((device) => device === 'pump' || device === null)).not.toEqual([]);
      const given = command('pump');
      expect(await send(given)).toBe('sent');
      expect(await tested.received('pump')).toEqual([given.requestId]);
    });

    it('says the same of a device that is there and one that is not: whether its commands go this way', async () => {
      const taken = () => ['pump', 'lamp', 'nobody'].map((device) => tested.sink.takes(device));
      expect(taken()).toEqual([tested.takes, tested.takes, false]);
      await tested.connect('pump');
      expect(taken()).toEqual([tested.takes, tested.takes, false]);
      await tested.disconnect('pump');
      expect(taken()).toEqual([tested.takes, tested.takes, false]);
    });

    it('does not reach a device that is gone', async () => {
      await tested.connect('pump');
      await tested.disconnect('pump');
      expect(await send(command('pump'))).toBe('unreachable');
    });

    it('writes in the order of the calls, and hands each answer to whom it is for, once', async () => {
      await tested.connect('pump');
      const [one, other] = [command('pump'), command('pump')];
      expect(await Promise.all([send(one), send(other)])).toEqual(['sent', 'sent']);
      expect(await tested.received('pump')).toEqual([one.requestId, other.requestId]);
      await tested.answer('pump', other.requestId, { status: 200, result: [2] });
      await tested.answer('pump', one.requestId, { status: 404, result: null });
      await tested.answer('pump', one.requestId, { status: 200, result: 1 });
      expect(answers).toEqual([`${other.requestId} 200 [2]`, `${one.requestId} 404 null`]);
    });

    it('lets an answer go that nobody waits for any more', async () => {
      await tested.connect('pump');
      const given = command('pump');
      await send(given);
      await tested.received('pump');
      tested.sink.forget(given.requestId);
      await tested.answer('pump', given.requestId, { status: 200 });
      await tested.answer('pump', 'no-request', { status: 200 });
      expect(answers).toEqual([]);
    });
  });
}
