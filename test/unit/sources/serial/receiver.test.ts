import { Buffer } from 'node:buffer';
import { beforeEach, describe, expect, it } from 'vitest';
import { numberedFrame } from '../../../../src/core/frame-key.ts';
import type { Handshake } from '../../../../src/core/record.ts';
import { CommandBook } from '../../../../src/sources/serial/commands/command-book.ts';
import { createFraming } from '../../../../src/sources/serial/framing/create-framing.ts';
import type { OpenPort } from '../../../../src/sources/serial/open-port.ts';
import type { PortOptions } from '../../../../src/sources/serial/options.ts';
import { PortSession } from '../../../../src/sources/serial/port-session.ts';
import { Receiver } from '../../../../src/sources/serial/receiver.ts';
import { FakeIntake } from '../../../support/fake-intake.ts';
import { waitFor } from '../../../support/wait-for.ts';

const CHANNEL = 'serial/a';
const LINES = createFraming({ kind: 'lines', ending: 'lf', maxFrameBytes: 64 });
/** Room for three frames of ten bytes. */
const ROOM = 3 * (10 + 512);
const OPTIONS: PortOptions = {
  name: 'a',
  path: '/dev/a',
  line: { baudRate: 9600, dataBits: 8, stopBits: 1, parity: 'none', flowControl: 'none' },
  lock: true,
  framing: { kind: 'lines', ending: 'lf', maxFrameBytes: 64 },
  silenceTimeout: 0,
  commands: [],
  readyAfterMs: 0,
  maxWaitingBytes: ROOM,
};
const ACK = { ack: (frame: string) => Buffer.from(`OK ${frame};`), nack: () => Buffer.from('NO;') };

let intake: FakeIntake;
let written: string;
let spoken: string[];
let now: number;

beforeEach(() => {
  intake = new FakeIntake();
  intake.refusal = (payload) => (payload.startsWith('bad') ? 'invalid_json' : undefined);
  intake.frameNumber = (payload) => (payload.startsWith('n') ? Number(payload.slice(1)) : undefined);
  written = '';
  spoken = [];
  now = 1_000;
});

function receiver(options: Partial<PortOptions> = {}, known: readonly Handshake[] = []): Receiver {
  return new Receiver({
    options: { ...OPTIONS, ...options },
    channel: CHANNEL,
    intake,
    known,
    now: () => now,
  });
}

function session(taker: Receiver, framing = LINES): PortSession {
  const port: OpenPort = {
    read: () => Promise.resolve(),
    caughtUp: () => Promise.resolve(),
    write: async (bytes) => {
      written += bytes;
    },
    close: () => Promise.resolve(),
  };
  const speakers = {
    speaks: (_: object, device: string) => spoken.push(`online ${device}`),
    gone: () => spoken.push('gone'),
  };
  return new PortSession({
    framing,
    port,
    taker,
    speakers,
    device: null,
    commands: new CommandBook('a', [], framing),
    readyAfterMs: 0,
    onReachable: () => undefined,
  });
}

const take = (by: PortSession, text: string) => by.take(Buffer.from(text));
const say = (to: PortSession, text: string) => void take(to, text);
const settled = (taker: Receiver) => waitFor(() => taker.isIdle, { what: 'the frames', timeoutMs: 5_000 });

describe('what comes over a serial line', () => {
  it('is stored frame by frame, in order, and counted by what became of it', async () => {
    const taker = receiver();
    const open = session(taker);
    say(open, 'one\ntw');
    say(open, 'o\nbad\n');
    say(open, `${'x'.repeat(100)}\n`);
    await settled(taker);
    expect(intake.payloads()).toEqual(['one', 'two', 'bad']);
    expect(taker.counts()).toEqual({
      byteCount: 113,
      frames: { accepted: 2, refused: 1, too_long: 1 },
      lastFrameAt: 1_000,
      badFrames: [{ at: 1_000, reason: 'too_long', byteCount: 100, hex: '78'.repeat(64) }],
    });
    expect(written).toBe('');
  });

  it('is acknowledged when it is stored and not before, with its number', async () => {
    const taker = receiver({ ...ACK, frameWindow: 8 });
    const open = session(taker);
    intake.hold();
    say(open, 'n7\nn8\n');
    await new Promise(setImmediate);
    expect(written).toBe('');
    intake.letGo();
    await settled(taker);
    await open.answered();
    expect(written).toBe('OK 7;OK 8;');
  });

  it('may be stored a moment later when nobody waits for it, but not while half of the room is taken', async () => {
    const taker = receiver();
    const open = session(taker);
    intake.hold();
    say(open, 'one frame.\ntwo frames\n');
    intake.letGo();
    await settled(taker);
    expect(intake.lingering).toEqual(['one frame.']);
    const answered = receiver(ACK);
    say(session(answered), 'another one\n');
    await settled(answered);
    expect(intake.lingering).toEqual(['one frame.']);
  });

  it('is refused on the wire when it is bad or cannot be what it should be, and not when it is noise', async () => {
    const start = Buffer.from('<');
    const taker = receiver(ACK);
    const open = session(
      taker,
      createFraming({ kind: 'start-end', maxFrameBytes: 20, start, end: Buffer.from('>'), gapMs: 0 }),
    );
    say(open, 'noise<bad><begun<good>');
    await settled(taker);
    await open.answered();
    expect(taker.counts().frames).toEqual({ noise: 1, malformed: 1, refused: 1, accepted: 1 });
    expect(written).toBe('NO;NO;OK ;');
  });

  it('is answered in the order of the line, whether it was good or bad', async () => {
    const taker = receiver(ACK);
    const open = session(taker);
    intake.hold();
    say(open, `one\n${'x'.repeat(100)}\ntwo\n`);
    await new Promise(setImmediate);
    intake.letGo();
    await settled(taker);
    await open.answered();
    expect(written).toBe('OK ;NO;OK ;');
  });

  it('is acknowledged when it can never be stored and its device knows no other answer', async () => {
    const taker = receiver({ ack: ACK.ack });
    const open = session(taker);
    say(open, `bad\n${'x'.repeat(100)}\n`);
    await settled(taker);
    await open.answered();
    expect(written).toBe('OK ;');
  });

  it('is acknowledged again when it is repeated, and stored once', async () => {
    const taker = receiver({ ...ACK, frameWindow: 2 });
    const open = session(taker);
    say(open, 'n1\nn1\n');
    await settled(taker);
    await open.answered();
    expect(written).toBe('OK 1;OK 1;');
    expect(intake.payloads()).toEqual(['n1']);
    say(open, 'n2\nn3\n');
    await settled(taker);
    const { key } = numberedFrame(CHANNEL, 1, Buffer.from('n1'));
    expect(intake.calls.at(-1)).toBe(`release ${key.clientId} ${key.packetId}`);
    say(open, 'n1\n');
    await settled(taker);
    expect(intake.payloads()).toEqual(['n1', 'n2', 'n3', 'n1']);
  });

  it('gives up what the store knows from before once a window of new frames has come', async () => {
    const keys = [1, 2].map((number) => numberedFrame(CHANNEL, number, Buffer.from(`n${number}`)).key);
    const taker = receiver({ frameWindow: 2 }, keys);
    const open = session(taker);
    const released = () => intake.calls.filter((call) => call.startsWith('release'));
    say(open, 'n3\n');
    await settled(taker);
    expect(released()).toEqual([]);
    say(open, 'n4\n');
    await settled(taker);
    expect(released()).toEqual(keys.map(({ clientId, packetId }) => `release ${clientId} ${packetId}`));
  });

  it('is acknowledged later when its device is to be slowed, and what comes behind it later still', async () => {
    intake.rateWaitMs = (payload) => (payload === 'n1' ? 5 : 0);
    const taker = receiver({ ...ACK, frameWindow: 8 });
    say(session(taker), 'n1\nn2\n');
    await waitFor(() => written === 'OK 1;OK 2;', { what: 'both answers', timeoutMs: 5_000 });
  });

  it('that finds no room is an overrun, reported with the next of them as soon as there is room', async () => {
    const taker = receiver();
    const open = session(taker);
    intake.hold();
    say(open, '1234567890\n2234567890\n3234567890\n');
    now = 2_000;
    say(open, 'lost-1\n');
    now = 3_000;
    say(open, 'lost-12\n');
    intake.letGo();
    await settled(taker);
    await intake.settled();
    expect(intake.overruns).toEqual([{ channel: CHANNEL, count: 2, bytes: 13, firstAt: 2_000, lastAt: 3_000 }]);
    expect(taker.counts().frames).toEqual({ accepted: 3, overrun: 2 });
    say(open, 'again\n');
    await settled(taker);
    expect(intake.payloads().at(-1)).toBe('again');
  });

  it('of one among several devices on the line is stored, or reported as lost, in the name of that one', async () => {
    const taker = receiver();
    const open = session(taker);
    intake.hold();
    for (const unit of [1, 2, 1, 2, 1, 1]) taker.frame(Buffer.from('0123456789'), open, `${CHANNEL}/${unit}`);
    intake.letGo();
    await settled(taker);
    await intake.settled();
    expect(intake.stored.map(({ topic }) => topic)).toEqual([`${CHANNEL}/1`, `${CHANNEL}/2`, `${CHANNEL}/1`]);
    expect(intake.overruns).toMatchObject([
      { channel: `${CHANNEL}/2`, count: 1 },
      { channel: `${CHANNEL}/1`, count: 2 },
    ]);
  });

  it('that finds no room is still its device’s where frames are acknowledged', async () => {
    const taker = receiver({ ...ACK, frameWindow: 8 });
    const open = session(taker);
    intake.hold();
    say(open, 'n1\nn2\nn3\nn4\n');
    intake.letGo();
    await settled(taker);
    await open.answered();
    expect(written).toBe('OK 1;OK 2;OK 3;');
    expect(taker.counts().frames).toEqual({ accepted: 3, overrun: 1 });
    expect(intake.overruns).toEqual([]);
  });

  it('is not read while much waits when the device can be told to wait', async () => {
    const taker = receiver({ line: { ...OPTIONS.line, flowControl: 'hardware' } });
    const open = session(taker);
    intake.hold();
    expect(take(open, '1234567890\n')).toBeUndefined();
    const room = take(open, '2234567890\n');
    expect(room).toBeInstanceOf(Promise);
    intake.letGo();
    await room;
    expect(take(open, '3\n')).toBeUndefined();
    const other = receiver();
    expect(take(session(other), '1234567890\n2234567890\n3234567890\n')).toBeUndefined();
    await Promise.all([settled(taker), settled(other)]);
  });

  it('is not lost when the device can be told to wait, however much was read at once', async () => {
    const taker = receiver({ line: { ...OPTIONS.line, flowControl: 'software' } });
    intake.hold();
    const room = take(session(taker), '1234567890\n'.repeat(5));
    intake.letGo();
    await room;
    await settled(taker);
    expect(taker.counts().frames).toEqual({ accepted: 5 });
  });

  it('makes its device speak, and be gone when the port is', async () => {
    const taker = receiver();
    const open = session(taker);
    say(open, 'one\n');
    await settled(taker);
    open.closed();
    expect(spoken).toEqual(['online a', 'gone']);
  });

  it('is answered to the device that sent it alone, not to one that was plugged in since', async () => {
    const taker = receiver({ ...ACK, frameWindow: 8 });
    const before = session(taker);
    intake.hold();
    say(before, 'n1\n');
    before.closed();
    intake.letGo();
    await settled(taker);
    expect(written).toBe('');
    expect(intake.payloads()).toEqual(['n1']);
    expect(spoken).toEqual(['gone']);
  });

  it('that the store did not take until the stop is no more than the device has, or is told', async () => {
    for (const [options, unstored] of [
      [{}, { waitingCount: 3, overrunCount: 1 }],
      [ACK, undefined],
    ] as const) {
      const taker = receiver(options);
      intake.hold();
      say(session(taker), '1234567890\n2234567890\n3234567890\nlost\n');
      taker.stop();
      await new Promise(setImmediate);
      expect(taker.unstored()).toEqual(unstored);
      intake.letGo();
      await settled(taker);
      expect(taker.unstored()).toBeUndefined();
    }
  });

  it('is left alone when the gateway stops', async () => {
    const taker = receiver();
    const open = session(taker);
    say(open, 'one\n');
    taker.stop();
    say(open, 'two\n');
    await settled(taker);
    expect(intake.payloads()).toEqual(['one']);
  });

  it('ends with silence where the framing says so', async () => {
    const taker = receiver();
    const open = session(taker, createFraming({ kind: 'inter-byte-timeout', maxFrameBytes: 64, gapMs: 5 }));
    say(open, 'on');
    say(open, 'e');
    await waitFor(() => intake.payloads().length === 1, { what: 'the frame', timeoutMs: 5_000 });
    say(open, 'two');
    open.closed();
    await settled(taker);
    expect(intake.payloads()).toEqual(['one']);
    expect(taker.counts().frames).toEqual({ accepted: 1, incomplete: 1 });
  });

  it('does not end while the device is told to wait', async () => {
    const framing = createFraming({ kind: 'inter-byte-timeout', maxFrameBytes: 64, gapMs: 5 });
    const taker = receiver({ line: { ...OPTIONS.line, flowControl: 'hardware' } });
    const open = session(taker, framing);
    intake.hold();
    taker.frame(Buffer.alloc(1_000), open);
    const room = take(open, 'on');
    say(session(receiver(), framing), 'other');
    await waitFor(() => intake.calls.includes('accept other'), { what: 'another line to end', timeoutMs: 5_000 });
    intake.letGo();
    await room;
    say(open, 'e');
    await waitFor(() => intake.payloads().includes('one'), { what: 'the frame', timeoutMs: 5_000 });
  });
});
