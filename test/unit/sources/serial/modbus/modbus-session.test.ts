import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModbusSession } from '../../../../../src/sources/serial/modbus/modbus-session.ts';
import type { ModbusOptions, Register } from '../../../../../src/sources/serial/modbus/options.ts';
import { CHECKSUM } from '../../../../../src/sources/serial/modbus/request.ts';
import { Unit } from '../../../../../src/sources/serial/modbus/unit.ts';
import { waitFor } from '../../../../support/wait-for.ts';

const SETTINGS = { baudRate: 115_200, dataBits: 8, stopBits: 1, parity: 'none', flowControl: 'none' } as const;
const NOW = 1_000;

function register(name: string, address: number, more: Partial<Register> = {}): Register {
  return { name, table: 'input', address, value: 'uint16', wordOrder: 'big', intervalMs: 3_600_000, ...more };
}

/** What a device writes for a request, in pieces. */
type Device = (request: string) => readonly string[];

const framed = (hex: string): string => CHECKSUM.append(Buffer.from(hex, 'hex')).toString('hex');
/** Answers every read of one register with its value. */
const answers =
  (value: string): Device =>
  (request) => [framed(`${request.slice(0, 4)}02${value}`)];
const never: Device = () => [];

let sent: string[];
/** Resolves when the line takes what is written. */
let taken: Promise<void>;
let told: string[];
let sessions: ModbusSession[];

beforeEach(() => {
  sent = [];
  taken = Promise.resolve();
  told = [];
  sessions = [];
});

afterEach(() => {
  for (const session of sessions) session.closed();
});

interface Line {
  readonly units: readonly Unit[];
  readonly session: ModbusSession;
}

function line(
  devices: Readonly<Record<number, Device>>,
  registers: readonly Register[],
  { maxGap = 0, ...options }: Partial<ModbusOptions> & { readonly maxGap?: number } = {},
): Line {
  const units = Object.keys(devices).map((number) => {
    const unit = Number(number);
    return new Unit({
      options: { unitId: unit, registers, maxGap, maxRegisters: 125, writeMultiple: false },
      channel: `serial/a/${unit}`,
      device: `meter-${unit}`,
      speakers: {
        speaks: (_, device) => told.push(`online ${device}`),
        gone: () => told.push(`offline ${unit}`),
      },
      logger: { info: (_fields: object, text?: string) => told.push(String(text)) } as never,
      repeats: { warn: (_key, fields, text) => told.push(`${text} ${JSON.stringify(fields)}`) },
      now: () => NOW,
    });
  });
  const port = {
    write: async (bytes: Buffer) => {
      await taken;
      sent.push(bytes.toString('hex'));
      for (const piece of devices[bytes[0] ?? 0]?.(bytes.toString('hex')) ?? []) {
        session.take(Buffer.from(piece, 'hex'));
      }
    },
    read: () => Promise.resolve(),
    caughtUp: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  const taker = {
    heard: () => undefined,
    frame: (payload: Buffer, _: unknown, channel?: string) => told.push(`record ${channel} ${payload}`),
    bad: (reason: string, bytes: Buffer) => told.push(`bad ${reason} ${bytes.toString('hex')}`),
    unanswered: (why: string, bytes: Buffer) => told.push(`${why} ${bytes.toString('hex')}`),
  };
  const session = new ModbusSession({
    options: { timeoutMs: 30, retries: 1, ...options },
    settings: SETTINGS,
    port,
    units,
    taker,
    onReachable: (device) => told.push(`reachable ${device}`),
  });
  sessions.push(session);
  void session.run();
  return { units, session };
}

const heard = (text: string, count = 1) =>
  waitFor(() => told.filter((each) => each.startsWith(text)).length >= count, { what: text, timeoutMs: 5_000 });
const of = (...kinds: string[]): string[] => told.filter((each) => kinds.some((kind) => each.startsWith(kind)));

const ASKED = framed('010400050001');

/** A register that may be written, and one that may not. */
const WRITABLE = [
  register('v', 5),
  register('set', 6, { table: 'holding', write: { scale: 1, offset: 0 } }),
  register('next', 7, { table: 'holding', write: { scale: 1, offset: 0 } }),
  register('far', 9, { table: 'holding', write: { scale: 1, offset: 0 } }),
];
/** As a device does: what is written is repeated, what is read has a value. */
const device: Device = (request) => {
  if (/^..(05|06)/.test(request)) return [request];
  if (/^..(0f|10)/.test(request)) return [framed(request.slice(0, 12))];
  return [framed(`${request.slice(0, 4)}${request.slice(10, 12) === '02' ? '0400010001' : '020001'}`)];
};
const isWrite = (request: string): boolean => /^..(05|06|0f|10)/.test(request);

function command(session: ModbusSession, requestId: string, params: object, timeoutMs = 60_000): void {
  const order = { requestId, device: 'meter-1', name: 'write', params, timeoutMs, deadline: 0 };
  const handover = session.send(order, (answer) => told.push(`${requestId} ${JSON.stringify(answer)}`));
  void handover.then((how) => told.push(`${requestId} ${how}`));
}

describe('a line that is polled', () => {
  it('has one request waiting while it takes nothing, and rests when that is written', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    taken = promise;
    line({ 1: answers('0009') }, [register('value', 5)], { retries: 20 });
    await heard('timeout', 5);
    resolve();
    await heard('record');
    expect(of('late', 'bad noise')).toHaveLength(1);
    expect(sent).toEqual([ASKED, ASKED]);
  });

  it('takes an answer that looks like its request only where the adapter does not hand requests back', async () => {
    // Twenty coils in one request: the answer that says which of them are on has its length.
    const coils = [768, 787].map((address) => register(`c${address}`, address, { table: 'coil' }));
    const same: Device = (request) => [request];
    const other = register('other', 5);
    const options = { maxGap: 20 };
    const echo =
      (device: Device): Device =>
      (request) => [request, ...device(request)];
    const asked = framed('010103000014');

    line({ 1: same }, coils, { ...options, retries: 0 });
    await heard(`timeout ${asked}`);
    expect(of('record')).toEqual([]);

    told = [];
    const plain: Device = (request) => (request.startsWith('0101') ? same(request) : answers('0009')(request));
    line({ 1: plain }, [other, ...coils], options);
    await heard('record');
    expect(of('record')).toEqual(['record serial/a/1 {"other":9,"c768":false,"c787":false}']);

    told = [];
    line({ 1: echo(plain) }, [other, ...coils], options);
    await heard('record');
    expect(of('record')).toEqual(['record serial/a/1 {"other":9,"c768":false,"c787":false}']);

    told = [];
    line(
      { 1: echo((request) => (request.startsWith('0101') ? [] : answers('0009')(request))) },
      [other, ...coils],
      options,
    );
    await heard('record');
    expect(of('record')).toEqual(['record serial/a/1 {"other":9}']);
  });

  it('asks each unit for what it has, and makes one record of it', async () => {
    const device: Device = (request) =>
      request.startsWith('0104') ? [framed('01040400070008')] : [framed('01010101')];
    const coil = register('on', 0, { table: 'coil' });
    line({ 1: device, 2: answers('0009') }, [register('b', 6), register('a', 5), coil]);
    await heard('record');
    expect(of('record')).toEqual(['record serial/a/1 {"b":8,"a":7,"on":true}']);
    expect(sent.slice(0, 2)).toEqual([framed('010400050002'), framed('010100000001')]);
    expect(of('online')).toContain('online meter-1');
  });

  it('polls again after the interval, and every unit has its turn on a line that is too slow for it', async () => {
    line({ 1: answers('0001'), 2: answers('0002') }, [register('v', 5, { intervalMs: 1 })]);
    await heard('record serial/a/1', 4);
    const counts = [1, 2].map((unit) => of(`record serial/a/${unit}`).length);
    expect(Math.abs((counts[0] ?? 0) - (counts[1] ?? 0))).toBeLessThanOrEqual(1);
  });

  it('asks again for what is not answered, no more often than it may, and goes on with the others', async () => {
    line({ 1: never, 2: answers('0002') }, [register('v', 5), register('w', 7)], { retries: 2 });
    await heard('offline 1');
    expect(sent.slice(0, 3)).toEqual([ASKED, ASKED, ASKED]);
    expect(of('timeout')).toEqual([`timeout ${ASKED}`, `timeout ${ASKED}`, `timeout ${ASKED}`]);
    expect(of('a Modbus unit')).toEqual(['a Modbus unit does not answer {"channel":"serial/a/1","device":"meter-1"}']);
    await heard('record serial/a/2 {"v":2,"w":2}');
  });

  it('asks a unit that is off once a poll, until it answers again', async () => {
    let isOff = true;
    const device: Device = (request) => (isOff ? [] : answers('0001')(request));
    const { units } = line({ 1: device }, [register('v', 5, { intervalMs: 1 })]);
    await heard('timeout', 4);
    expect(units[0]?.view()).toEqual({
      unitId: 1,
      device: 'meter-1',
      isOnline: false,
      lastAnswerAt: null,
      reason: 'it does not answer',
    });
    isOff = false;
    await heard('record');
    expect(of('a Modbus unit')).toHaveLength(2);
    expect(of('a Modbus unit answers again')).toHaveLength(1);
    expect(units[0]?.view()).toMatchObject({ isOnline: true, lastAnswerAt: NOW, reason: null });
  });

  it('counts exceptions, says which, and stores the rest; the unit is online', async () => {
    const device: Device = (request) =>
      request.startsWith('01040005') ? [framed('018402')] : answers('0008')(request);
    const { units } = line({ 1: device }, [register('v', 5, { value: 'uint32' }), register('w', 9)]);
    await heard('record');
    expect(of('record', 'exception', 'a Modbus unit')).toEqual([
      'a Modbus unit refuses a request {"channel":"serial/a/1","device":"meter-1","reason":"input 5 to 6: exception 2, illegal data address"}',
      `exception ${framed('018402')}`,
      'record serial/a/1 {"w":8}',
    ]);
    expect(units[0]?.view()).toMatchObject({
      isOnline: true,
      reason: 'input 5 to 6: exception 2, illegal data address',
    });
  });

  it('never takes a late answer for that of the next request', async () => {
    const late = framed('0104020063');
    let count = 0;
    // The first answer comes only when the second request would be waiting, were there no rest between them.
    const device: Device = () => {
      count += 1;
      if (count > 1) return [framed('0104020002')];
      setTimeout(() => sessions[0]?.take(Buffer.from(late, 'hex')), 45);
      return [];
    };
    line({ 1: device }, [register('v', 5)], { timeoutMs: 40 });
    await heard('record');
    expect(of('record', 'late', 'timeout')).toEqual([`late ${ASKED}`, `timeout ${ASKED}`, 'record serial/a/1 {"v":2}']);
  });

  it('asks again behind an answer that came damaged, and counts it', async () => {
    let count = 0;
    const device: Device = (request) => {
      count += 1;
      return count > 1 ? answers('0002')(request) : ['ff', '0104', '0200', '020000'];
    };
    line({ 1: device }, [register('v', 5)]);
    await heard('record');
    expect(of('bad', 'timeout', 'record')).toEqual([
      'bad checksum ff01040200020000',
      `timeout ${ASKED}`,
      'record serial/a/1 {"v":2}',
    ]);
  });

  it('stores what was answered before its port was closed in the middle of a poll', async () => {
    const device: Device = (request) => {
      if (request.startsWith('01040005')) return answers('0001')(request);
      sessions[0]?.closed();
      return [];
    };
    line({ 1: device }, [register('v', 5), register('w', 9)]);
    await heard('record');
    expect(of('record', 'timeout', 'a Modbus unit')).toEqual(['record serial/a/1 {"v":1}']);
  });

  it('asks nothing more when its port is closed, and its units are offline', async () => {
    const { session, units } = line({ 1: answers('0001') }, [register('v', 5, { intervalMs: 1 })]);
    await heard('record');
    session.closed();
    const count = sent.length;
    await session.run();
    expect(sent).toHaveLength(count);
    expect(told.at(-1)).toBe('offline 1');
    expect(units[0]?.view()).toMatchObject({ isOnline: false, reason: null });
  });
});

describe('a command to a line that is polled', () => {
  it('is written in its turn and read back at once', async () => {
    const { session } = line({ 1: device }, WRITABLE);
    await heard('record');
    command(session, 'r1', { set: 42 });
    await heard('record', 2);
    expect(of('r1')).toEqual(['r1 sent', 'r1 {"status":200,"result":{"set":42}}']);
    expect(sent.filter(isWrite)).toEqual([framed('01060006002a')]);
    expect(sent.indexOf(framed('01060006002a'))).toBe(3);
    expect(sent.length).toBeGreaterThan(4);
  });

  it('writes neighbours by one request', async () => {
    const { session } = line({ 1: device }, WRITABLE);
    command(session, 'r1', { next: 2, set: 1 });
    await heard('r1 {');
    expect(sent.filter(isWrite)).toEqual([framed('01100006000204' + '00010002')]);
  });

  it('is not taken for done by an adapter that hears itself', async () => {
    const echo: Device = (request) => [request, ...device(request)];
    const { session } = line({ 1: echo }, WRITABLE);
    await heard('record');
    command(session, 'r1', { set: 42 });
    await heard('r1 {');
    expect(sent.filter(isWrite)).toEqual([framed('01060006002a')]);
    expect(of('r1 {')).toEqual(['r1 {"status":200,"result":{"set":42}}']);
  });

  it('failed when only the adapter hands it back', async () => {
    const echo: Device = (request) => (isWrite(request) ? [request] : [request, ...device(request)]);
    const { session } = line({ 1: echo }, WRITABLE, { retries: 0 });
    await heard('record');
    command(session, 'r1', { set: 42 });
    await heard('r1 {');
    expect(of('r1 {')).toEqual(['r1 {"status":504,"error":"holding 6: unit 1 does not answer"}']);
  });

  it('is written as several are while nobody knows whether the adapter hears itself', async () => {
    const { session } = line({ 1: (request) => (isWrite(request) ? device(request) : []) }, WRITABLE);
    command(session, 'r1', { set: 42 });
    await heard('r1 {');
    expect(sent.filter(isWrite)).toEqual([framed('011000060001' + '02' + '002a')]);
    expect(of('r1 {')).toEqual(['r1 {"status":200,"result":{"set":42}}']);
  });

  it('has turns on a line that is too slow for its polls, and they have theirs', async () => {
    const registers = WRITABLE.map((each) => ({ ...each, intervalMs: 1 }));
    const { session } = line({ 1: device }, registers);
    for (const id of ['r1', 'r2', 'r3']) command(session, id, { set: 1 });
    await heard('r3 {');
    const order = of('record', 'r1 {', 'r2 {', 'r3 {').map((each) => each.slice(0, 2));
    expect(order.slice(order.indexOf('r1'), order.indexOf('r3') + 1)).toEqual(['r1', 're', 'r2', 're', 'r3']);
  });

  it('that the unit refuses failed, in words, with what was written before', async () => {
    const refusing: Device = (request) => (request.startsWith('01060009') ? [framed('018602')] : device(request));
    const { session, units } = line({ 1: refusing }, WRITABLE);
    command(session, 'r1', { set: 1, far: 2 });
    await heard('r1 {');
    expect(of('r1 {')).toEqual([
      'r1 {"status":502,"error":"holding 9: exception 2, illegal data address; written before: set"}',
    ]);
    expect(of('exception')).toEqual([`exception ${framed('018602')}`]);
    expect(units[0]?.view()).toMatchObject({ isOnline: true, reason: null });
  });

  it('that stays without an answer is written again, then it failed', async () => {
    const { session } = line({ 1: (request) => (isWrite(request) ? [] : device(request)) }, WRITABLE, { retries: 2 });
    command(session, 'r1', { set: 1 });
    await heard('r1 {');
    expect(sent.filter(isWrite)).toEqual(Array.from({ length: 3 }, () => framed('010600060001')));
    expect(of('r1 {')).toEqual(['r1 {"status":504,"error":"holding 6: unit 1 does not answer"}']);
  });

  it('is not written again when nobody waits any more, nor at all when its time was over before its turn', async () => {
    const { session } = line({ 1: (request) => (isWrite(request) ? [] : device(request)) }, WRITABLE, { retries: 5 });
    command(session, 'r1', { set: 1 });
    await heard('r1 sent');
    command(session, 'r2', { set: 2 }, 5);
    await heard('r2');
    session.forget('r1');
    command(session, 'r3', { set: 3 });
    await heard('r3 sent');
    session.forget('r3');
    expect(of('r1', 'r2', 'r3')).toEqual(['r1 sent', 'r2 unreachable', 'r3 sent']);
    expect(new Set(sent.filter(isWrite))).toEqual(new Set([framed('010600060001'), framed('010600060003')]));
    expect(sent.filter(isWrite).length).toBeLessThan(8);
  });

  it('is unreachable when the port is closed before its turn, and says nothing more when it is closed behind it', async () => {
    const { session } = line({ 1: (request) => (isWrite(request) ? [] : device(request)) }, WRITABLE);
    command(session, 'r1', { set: 1 });
    await heard('r1 sent');
    command(session, 'r2', { set: 2 });
    session.closed();
    command(session, 'r3', { set: 3 });
    await heard('r3');
    await heard('r2');
    expect(new Set(of('r1', 'r2', 'r3'))).toEqual(new Set(['r1 sent', 'r2 unreachable', 'r3 unreachable']));
    expect(sent.filter(isWrite)).toEqual([framed('010600060001')]);
  });

  it('that cannot be is answered at once', async () => {
    const { session } = line({ 1: device }, WRITABLE);
    command(session, 'r1', { set: 70_000 });
    await heard('r1 {');
    expect(of('r1 {')).toEqual(['r1 {"status":400,"error":"set must be from 0 to 65535","isUnsent":true}']);
    expect(sent.filter(isWrite)).toEqual([]);
  });

  it('are written to a unit of which nothing is read, and nothing else is asked of it', async () => {
    const { session } = line({ 1: device }, [register('set', 6, { ...WRITABLE[1], intervalMs: undefined })]);
    for (const value of [1, 2]) {
      command(session, `r${value}`, { set: value });
      await heard(`r${value} {`);
    }
    expect(of('r1 {', 'r2 {')).toEqual([1, 2].map((set) => `r${set} {"status":200,"result":{"set":${set}}}`));
    expect(sent).toEqual([framed('01100006000102' + '0001'), framed('010600060002')]);
  });

  it('may come as soon as the port is open', () => {
    const { session } = line({ 1: device, 2: device }, WRITABLE);
    session.closed();
    session.opened();
    expect(of('reachable')).toEqual(['reachable meter-1', 'reachable meter-2']);
  });

  it('is tried as often as any when its unit is only written, and left none silent that nobody asks', async () => {
    const onlyWritten = [
      register('set', 6, { table: 'holding', intervalMs: undefined, write: { scale: 1, offset: 0 } }),
    ];
    const { session, units } = line({ 1: never }, onlyWritten, { retries: 2 });
    for (const id of ['r1', 'r2']) {
      command(session, id, { set: 1 });
      await heard(`${id} {`);
    }
    expect(sent).toHaveLength(6);
    expect(units[0]?.view()).toMatchObject({ isOnline: false, reason: null });
  });
});
