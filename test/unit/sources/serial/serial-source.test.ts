import { Buffer } from 'node:buffer';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { numberedFrame } from '../../../../src/core/frame-key.ts';
import type { Handshake } from '../../../../src/core/record.ts';
import { CommandBook } from '../../../../src/sources/serial/commands/command-book.ts';
import { createFraming } from '../../../../src/sources/serial/framing/create-framing.ts';
import { openPort } from '../../../../src/sources/serial/open-port.ts';
import type { PortOptions } from '../../../../src/sources/serial/options.ts';
import { PortSession } from '../../../../src/sources/serial/port-session.ts';
import type { OpenReading } from '../../../../src/sources/serial/reading/port-reading.ts';
import { readHere } from '../../../../src/sources/serial/reading/read-here.ts';
import { SerialSource } from '../../../../src/sources/serial/serial-source.ts';
import { FakeIntake } from '../../../support/fake-intake.ts';
import { MemoryLogger } from '../../../support/memory-logger.ts';
import { PtyPair } from '../../../support/pty-pair.ts';
import { waitFor } from '../../../support/wait-for.ts';

const SOON = { timeoutMs: 10_000 };
const LINE = { baudRate: 9600, dataBits: 8, stopBits: 1, parity: 'none', flowControl: 'none' } as const;
const FIXED = { kind: 'fixed', length: 4, start: Buffer.alloc(0), maxFrameBytes: 64 } as const;
const MODBUS = { timeoutMs: 100, retries: 0, units: [] };

let directory: string;
let intake: FakeIntake;
let source: SerialSource | undefined;
let logger: MemoryLogger;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-serial-'));
  intake = new FakeIntake();
  logger = new MemoryLogger();
});

afterEach(async () => {
  await source?.stop();
  rmSync(directory, { recursive: true });
});

function port(name: string, file: string, changes: Partial<PortOptions> = {}): PortOptions {
  return {
    name,
    path: join(directory, file),
    line: LINE,
    lock: true,
    framing: { kind: 'lines', ending: 'lf', maxFrameBytes: 64 },
    silenceTimeout: 0,
    commands: [],
    readyAfterMs: 0,
    maxWaitingBytes: 4096,
    ...changes,
  };
}

async function started(
  ports: readonly PortOptions[],
  knownFrames: readonly Handshake[] = [],
  openReading: OpenReading = readHere,
): Promise<SerialSource> {
  const speakers = { speaks: () => undefined, gone: () => undefined };
  source = new SerialSource({
    ports,
    intake,
    speakers,
    openReading,
    onReachable: () => undefined,
    knownFrames,
    logger,
    repeats: allOf(logger),
    now: () => 0,
  });
  await source.start();
  return source;
}

/** Repeats are all told. */
function allOf(logger: MemoryLogger): { warn(key: string, fields: object, message: string): void } {
  return { warn: (_, fields, message) => logger.warn(fields, message) };
}

const key = (channel: string) => numberedFrame(channel, 7, Buffer.from('x')).key;
const released = () => intake.calls.filter((call) => call.startsWith('release'));

describe('the serial source', () => {
  it('shows ports that are not there, and why others cannot be opened', async () => {
    writeFileSync(join(directory, 'file'), '');
    const running = await started([port('away', 'nothing'), port('file', 'file')]);
    await waitFor(() => running.ports()[1]?.state === 'refused', { what: 'the refusal', ...SOON });
    expect(running.ports()).toMatchObject([
      { name: 'away', state: 'absent', reason: null, reconnectCount: 0 },
      { name: 'file', state: 'refused', reason: expect.stringMatching(/is no serial port; sluice serial list/) },
    ]);
  });

  it.each<[string, Partial<PortOptions>, object]>([
    ['lines', {}, { isPrompt: false, waitsForRoom: false }],
    ['a short silence', { framing: { ...FIXED, gapMs: 5 } }, { isPrompt: true, waitsForRoom: false }],
    ['a long silence', { framing: { ...FIXED, gapMs: 1_000 } }, { isPrompt: false, waitsForRoom: false }],
    ['no silence', { framing: { ...FIXED, gapMs: 0 } }, { isPrompt: false, waitsForRoom: false }],
    [
      'silence alone',
      { framing: { kind: 'inter-byte-timeout', gapMs: 5, maxFrameBytes: 64 } },
      { isPrompt: true, waitsForRoom: false },
    ],
    ['answers', { modbus: MODBUS }, { isPrompt: true, waitsForRoom: false }],
    ['a device that waits', { line: { ...LINE, flowControl: 'hardware' } }, { isPrompt: false, waitsForRoom: true }],
  ])('says how a port is to be read whose frames are told apart by %s', async (_by, changes, how) => {
    const pair = new PtyPair(join(directory, 'a'));
    await pair.plug();
    const asked: unknown[] = [];
    const openReading: OpenReading = (path, options) => {
      asked.push(options);
      return readHere(path, options);
    };
    try {
      const running = await started([port('a', 'a', changes)], [], openReading);
      await waitFor(() => running.ports()[0]?.state === 'open', { what: 'the port to be opened', ...SOON });
      expect(asked).toEqual([how]);
    } finally {
      await pair.dispose();
    }
  });

  it('runs every port that a pattern comes to match, each under a name of its own', async () => {
    writeFileSync(join(directory, 'usb-a'), '');
    const running = await started([port('usb', 'usb-*')]);
    const names = () => running.ports().map(({ name, device }) => `${name} ${device}`);
    await waitFor(() => names().length === 1, { what: 'the first port', ...SOON });
    writeFileSync(join(directory, 'usb-b'), '');
    await waitFor(() => names().length === 2, { what: 'the second port', ...SOON });
    expect(names()).toEqual(['usb/a usb', 'usb/b usb']);
  });

  it('forgets the numbered frames of ports that are gone from the configuration, or have no numbers any more', async () => {
    const channels = ['serial/kept', 'serial/usb/a', 'serial/gone', 'serial/plain'];
    const ports = [
      port('kept', 'kept', { frameWindow: 4 }),
      port('usb', 'usb-*', { frameWindow: 4 }),
      port('plain', 'plain'),
    ];
    await started(ports, channels.map(key));
    expect(released()).toEqual(
      ['serial/gone', 'serial/plain'].map((channel) => `release ${key(channel).clientId} ${key(channel).packetId}`),
    );
  });

  it('says at the stop how many frames the store did not take', async () => {
    const pair = new PtyPair(join(directory, 'a'));
    await pair.plug();
    const running = await started([port('a', 'a')]);
    const lineOf = { ...port('a', 'a'), path: pair.devicePath, lock: false };
    const device = await openPort(lineOf);
    try {
      await waitFor(() => running.ports()[0]?.state === 'open', { what: 'the port', ...SOON });
      intake.hold();
      await device.write(Buffer.from('x\n'.repeat(20)));
      await waitFor(() => running.ports()[0]?.frames['overrun'] === 13, { what: 'the overruns', ...SOON });
      await running.stop();
      expect(logger.lines.at(-1)).toMatchObject({
        level: 'error',
        fields: { port: 'a', waitingCount: 7, overrunCount: 13 },
        message: expect.stringContaining('frames of a serial port are lost'),
      });
    } finally {
      await device.close();
      await pair.dispose();
    }
  });

  it('keeps frames apart that it writes where only silence divides them', async () => {
    const framing = { kind: 'inter-byte-timeout', gapMs: 300, maxFrameBytes: 64 } as const;
    const ack = () => Buffer.from('OK');
    const commands = [{ name: 'ping', write: 'PING {request_id}', encoding: 'text' }] as const;
    const pair = new PtyPair(join(directory, 'a'));
    await pair.plug();
    const options = port('a', 'a', { framing, ack, commands });
    const running = await started([options]);
    const device = await openPort({ ...options, path: pair.devicePath, lock: false });
    const heard: string[] = [];
    const session = new PortSession({
      ...{ framing: createFraming(framing), port: device, device: null, readyAfterMs: 0 },
      speakers: { speaks: () => undefined, gone: () => undefined },
      taker: {
        ...{ heard: () => undefined, room: () => undefined, bad: () => undefined, answered: () => undefined },
        frame: (payload) => heard.push(`${payload}`),
      },
      commands: new CommandBook('a', [], createFraming(framing)),
      onReachable: () => undefined,
    });
    void device.read((bytes) => session.take(bytes));
    try {
      await waitFor(() => running.ports()[0]?.state === 'open', { what: 'the port', ...SOON });
      const ping = (requestId: string) =>
        running.commands.send(
          { requestId, device: 'a', name: 'ping', params: null, timeoutMs: 60_000, deadline: 0 },
          () => undefined,
        );
      expect(await Promise.all([ping('1'), ping('2')])).toEqual(['sent', 'sent']);
      await device.write(Buffer.from('x'));
      await waitFor(() => heard.length === 3, { what: () => `three frames, not ${heard}`, ...SOON });
      expect(heard).toEqual(['PING 1', 'PING 2', 'OK']);
    } finally {
      session.closed();
      await device.close();
      await pair.dispose();
    }
  });

  it('says when a port is open, and that it is open again the next time', async () => {
    const pair = new PtyPair(join(directory, 'a'));
    const running = await started([port('a', 'a')]);
    const isOpen = (open: boolean) =>
      waitFor(() => (running.ports()[0]?.state === 'open') === open, { what: `open: ${open}`, ...SOON });
    try {
      await pair.plug();
      await isOpen(true);
      await pair.unplug();
      await isOpen(false);
      await pair.plug();
      await isOpen(true);
      const messages = logger.lines.map(({ message }) => message).filter((message) => /open|gone/.test(message));
      expect(messages).toEqual(['serial port open', 'a serial port is gone', 'a serial port is open again']);
    } finally {
      await pair.dispose();
    }
  });
});
