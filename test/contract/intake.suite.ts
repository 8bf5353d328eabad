import { Buffer } from 'node:buffer';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Intake, Message } from '../../src/core/ports.ts';
import type { Handshake } from '../../src/core/record.ts';

export interface IntakeUnderTest {
  readonly intake: Intake;
  /** Nothing becomes durable until `letGo`. */
  hold(): void;
  letGo(): void;
}

const GOOD = '{"temperature":21.5}';
const TELEMETRY = 'devices/meter/telemetry';

function message(channel: string, payload: string, handshake: Handshake | null = null): Message {
  return { source: 'mqtt', channel, payload: Buffer.from(payload), handshake };
}

/** What every door promises to the sources; it refuses telemetry that is `not json`. */
export function intakeContract(name: string, open: () => IntakeUnderTest): void {
  describe(`the intake: ${name}`, () => {
    let tested: IntakeUnderTest;
    let intake: Intake;
    const seven: Handshake = { clientId: 'c', packetId: 7 };

    beforeEach(() => {
      tested = open();
      intake = tested.intake;
    });

    it('says what became of a message', async () => {
      const accepted = await intake.accept(message(TELEMETRY, GOOD));
      expect(accepted).toMatchObject({ kind: 'accepted', device: 'meter', count: 1 });
      expect(await intake.accept(message(TELEMETRY, 'not json'))).toMatchObject({ kind: 'refused' });
      expect(await intake.accept(message('plant/lamp', 'on'))).toEqual({ kind: 'local' });
    });

    it('answers only when it is durable, in the order of the calls, whatever becomes of the messages', async () => {
      const answered: string[] = [];
      const note = (what: string) => () => answered.push(what);
      tested.hold();
      const all = Promise.all([
        intake.accept(message('plant/lamp', 'on')).then(note('local')),
        intake.accept(message(TELEMETRY, GOOD)).then(note('accepted')),
        intake.settled().then(note('settled')),
        intake.accept(message(TELEMETRY, 'not json')).then(note('refused')),
        intake.accept(message(TELEMETRY, GOOD, seven)).then(note('with a handshake')),
        intake.accept(message(TELEMETRY, GOOD, seven)).then(note('duplicate')),
        intake.accept(message('plant/lamp', 'off')).then(note('local again')),
      ]);
      for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
      expect(answered).toEqual([]);
      tested.letGo();
      await all;
      const order = ['local', 'accepted', 'settled', 'refused', 'with a handshake', 'duplicate', 'local again'];
      expect(answered).toEqual(order);
    });

    it('recognises a repeated QoS 2 message until its handshake is released', async () => {
      const kinds = async (handshake: Handshake) => (await intake.accept(message(TELEMETRY, GOOD, handshake))).kind;
      expect(await kinds(seven)).toBe('accepted');
      expect(await kinds(seven)).toBe('duplicate');
      expect(await kinds({ clientId: 'd', packetId: 7 })).toBe('accepted');
      expect(await kinds({ clientId: 'c', packetId: 8 })).toBe('accepted');
      await intake.release('c', 7);
      expect(await kinds(seven)).toBe('accepted');
      await intake.release('c', null);
      expect(await kinds({ clientId: 'c', packetId: 8 })).toBe('accepted');
      expect(await kinds({ clientId: 'd', packetId: 7 })).toBe('duplicate');
    });

    it('stores a request with an idempotency key once, and says each time where', async () => {
      const request = (key: string, body = 1): Message => ({
        ...message(TELEMETRY, GOOD),
        source: 'http',
        idempotency: { key, fingerprint: new Uint8Array(32).fill(body) },
      });
      const first = await intake.accept(request('a'));
      expect(first).toMatchObject({ kind: 'accepted', count: 1 });
      expect(await intake.accept(request('a'))).toEqual({ ...first, kind: 'repeated' });
      expect(await intake.accept(request('a', 2))).toEqual({ kind: 'key_reused', device: 'meter' });
      expect(await intake.accept(request('b', 2))).toMatchObject({ kind: 'accepted' });
    });

    it('takes releases in their place in the order', async () => {
      tested.hold();
      const kinds = Promise.all([
        intake.accept(message(TELEMETRY, GOOD, seven)),
        intake.release('c', 7),
        intake.accept(message(TELEMETRY, GOOD, seven)),
        intake.accept(message(TELEMETRY, GOOD, seven)),
      ]).then((answers) => answers.map((answer) => answer?.kind));
      tested.letGo();
      expect(await kinds).toEqual(['accepted', undefined, 'accepted', 'duplicate']);
    });
  });
}
