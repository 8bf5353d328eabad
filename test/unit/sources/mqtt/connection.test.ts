import { Buffer } from 'node:buffer';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Connection, type ConnectionFault } from '../../../../src/sources/mqtt/connection.ts';
import { connectBytes, packet } from '../../../support/mqtt-raw-client.ts';

const CONNECT = connectBytes({ clientId: 'c' });
const PING = packet(0xc0);

/** A socket whose other side reads only when it is told to. */
class SlowSocket extends Duplex {
  readonly written: Buffer[] = [];
  #pending: (() => void)[] = [];

  constructor() {
    super({ highWaterMark: 100 });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    this.#pending.push(done);
  }

  drain(): void {
    while (this.#pending.length > 0) for (const done of this.#pending.splice(0)) done();
  }
}

function setUp() {
  const socket = new SlowSocket();
  const faults: ConnectionFault['kind'][] = [];
  const connection = new Connection({
    link: { socket, address: '192.0.2.1', anonymous: true, certified: null },
    maxPacketBytes: 50,
    maxConnectBytes: 50,
    maxPublishRatePerS: 0,
    drainTimeoutMs: 1_000,
    onFault: ({ kind }) => faults.push(kind),
  });
  connection.attach();
  const read = (): string | undefined => (socket.read() as Buffer | null)?.toString('hex');
  return { socket, connection, faults, read };
}

function served() {
  const parts = setUp();
  parts.socket.push(CONNECT);
  parts.read();
  parts.connection.serve();
  return parts;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a connection', () => {
  it('hands over CONNECT when it is complete, and nothing behind it until the client is let in', () => {
    const { socket, connection, read } = setUp();
    socket.push(CONNECT.subarray(0, 5));
    expect(read()).toBeUndefined();
    socket.push(Buffer.concat([CONNECT.subarray(5), PING]));
    expect(read()).toBe(CONNECT.toString('hex'));
    socket.push(PING);
    expect(read()).toBeUndefined();
    connection.serve();
    expect(read()).toBe(Buffer.concat([PING, PING]).toString('hex'));
    expect(read()).toBeUndefined();
  });

  it('hands over a packet whose beginning came with CONNECT and whose end came before the client was let in', () => {
    const { socket, connection, read } = setUp();
    socket.push(Buffer.concat([CONNECT, PING.subarray(0, 1)]));
    read();
    socket.push(PING.subarray(1));
    expect(read()).toBeUndefined();
    connection.serve();
    expect(read()).toBe(PING.toString('hex'));
  });

  it('that is gone before it is served leaves no timer behind', () => {
    const { socket, connection, read } = setUp();
    socket.push(CONNECT);
    read();
    connection.keepAliveS = 65_535;
    socket.destroy();
    connection.serve();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('hands over whole packets only', () => {
    const { socket, read } = served();
    const publish = packet(0x30, Buffer.alloc(40, 1));
    const bytes = Buffer.concat([PING, publish, publish]);
    socket.push(bytes.subarray(0, 10));
    expect(read()).toBe(PING.toString('hex'));
    socket.push(bytes.subarray(10, 20));
    expect(read()).toBeUndefined();
    socket.push(bytes.subarray(20, 60));
    expect(read()).toBe(publish.toString('hex'));
    socket.push(bytes.subarray(60));
    expect(read()).toBe(publish.toString('hex'));
  });

  it('takes nothing from a client that does not read, and goes on when it does', () => {
    const { socket, faults, read } = served();
    socket.write(Buffer.alloc(200));
    socket.push(PING);
    expect(read()).toBeUndefined();
    const readable = vi.fn();
    socket.on('readable', readable);
    socket.drain();
    expect(readable).toHaveBeenCalled();
    vi.advanceTimersByTime(5_000);
    expect(faults).toEqual([]);
    expect(read()).toBe(PING.toString('hex'));
  });

  it('ends when the client does not read for too long', () => {
    const { socket, faults, read } = served();
    socket.write(Buffer.alloc(200));
    socket.push(PING);
    read();
    read();
    vi.advanceTimersByTime(999);
    expect(faults).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(faults).toEqual(['does_not_read']);
    expect(socket.destroyed).toBe(true);
  });

  it('ends with a packet that is too large', () => {
    const { socket, faults, read } = served();
    socket.push(Buffer.concat([PING, packet(0x30, Buffer.alloc(60))]));
    expect(read()).toBeUndefined();
    expect(faults).toEqual(['packet_too_large']);
    expect(socket.destroyed).toBe(true);
  });

  it('that is refused gets the code, and its end when it does not take it', () => {
    const { socket, connection, read } = setUp();
    connection.refuse(5);
    socket.push(PING);
    expect(read()).toBeUndefined();
    expect(Buffer.concat(socket.written).toString('hex')).toBe('20020005');
    vi.advanceTimersByTime(1_000);
    expect(socket.destroyed).toBe(true);
  });
});
