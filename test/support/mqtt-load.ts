/**
 * A lean MQTT load generator over raw sockets, fast enough that the broker is the limit and not the generator:
 * every client owns a ring of ready PUBLISH packets of equal length, in which only the digits of the id change.
 */

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { LatencyHistogram } from './latency.ts';
import { CONNACK, connectPacket, DISCONNECT, PacketReader, PUBACK, publishPacket } from './mqtt-packets.ts';

export interface LoadOptions {
  readonly port: number;
  readonly host?: string;
  /** The address that all clients show. */
  readonly from?: string;
  readonly clientCount: number;
  /** QoS 1 messages without an acknowledgement, per client. */
  readonly inFlight: number;
  /** Bytes of each payload, at least 48. */
  readonly payloadBytes: number;
  /** Messages of all clients together; without it the load goes on until the signal is aborted. */
  readonly messageCount?: number;
  readonly signal?: AbortSignal;
  /** Messages per second of all clients together; without it as fast as they are acknowledged. */
  readonly ratePerS?: number;
  /** Topic of one client; default `devices/{prefix}{n}/telemetry`. */
  readonly topic?: (device: string) => string;
  /** Default `c`. */
  readonly prefix?: string;
}

export interface LoadResult {
  readonly sentCount: number;
  readonly ackedCount: number;
  readonly seconds: number;
  readonly ackedPerS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Acknowledgements that did not come in the order of the messages [MQTT-4.6.0-2]. */
  readonly outOfOrderCount: number;
}

const RING = 2048;
const DIGITS = 9;
const TICK_MS = 5;

/** A payload of exactly `bytes` bytes: `{"id":"c3-000000000","v":21.5,"pad":"…"}`; the digits are patched later. */
function template(device: string, bytes: number): Buffer {
  const head = `{"id":"${device}-${'0'.repeat(DIGITS)}","v":21.5,"pad":"`;
  const padding = bytes - head.length - 2;
  if (padding < 0) throw new Error(`payloadBytes must be at least ${head.length + 2}`);
  return Buffer.from(`${head}${'x'.repeat(padding)}"}`);
}

class LoadClient {
  readonly #socket: Socket;
  readonly #ring: Buffer;
  readonly #packetBytes: number;
  readonly #digitsAt: number;
  readonly #sentAt = new Float64Array(RING);
  readonly #reader = new PacketReader();
  readonly #latency: LatencyHistogram;
  readonly #onAck: (client: LoadClient, count: number) => void;
  sentCount = 0;
  ackedCount = 0;
  outOfOrderCount = 0;

  constructor(options: {
    readonly socket: Socket;
    readonly topic: string;
    readonly payload: Buffer;
    readonly latency: LatencyHistogram;
    readonly onAck: (client: LoadClient, count: number) => void;
  }) {
    const { topic, payload } = options;
    const packets = Array.from({ length: RING }, (_, slot) =>
      publishPacket({ topic, payload, qos: 1, packetId: slot + 1 }),
    );
    this.#ring = Buffer.concat(packets);
    this.#packetBytes = this.#ring.byteLength / RING;
    this.#digitsAt = this.#packetBytes - payload.byteLength + payload.indexOf('0'.repeat(DIGITS));
    this.#socket = options.socket;
    this.#latency = options.latency;
    this.#onAck = options.onAck;
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  get inFlight(): number {
    return this.sentCount - this.ackedCount;
  }

  /** Sends the next `count` messages. A slot is used again only after its acknowledgement, so its bytes have left. */
  send(count: number): void {
    const now = performance.now();
    let from = this.sentCount % RING;
    for (let left = count; left > 0; ) {
      const run = Math.min(left, RING - from);
      for (let slot = from; slot < from + run; slot += 1) {
        this.#number(slot);
        this.#sentAt[slot] = now;
        this.sentCount += 1;
      }
      this.#socket.write(this.#ring.subarray(from * this.#packetBytes, (from + run) * this.#packetBytes));
      left -= run;
      from = 0;
    }
  }

  #number(slot: number): void {
    let rest = this.sentCount + 1;
    const at = slot * this.#packetBytes + this.#digitsAt;
    for (let digit = DIGITS - 1; digit >= 0; digit -= 1) {
      this.#ring[at + digit] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
  }

  #receive(chunk: Buffer): void {
    const now = performance.now();
    let acked = 0;
    this.#reader.read(chunk, (type, packetId) => {
      if (type !== PUBACK) return;
      const slot = (this.ackedCount + acked) % RING;
      if (packetId !== slot + 1) this.outOfOrderCount += 1;
      this.#latency.add(now - (this.#sentAt[packetId - 1] ?? now));
      acked += 1;
    });
    this.ackedCount += acked;
    if (acked > 0) this.#onAck(this, acked);
  }

  close(): void {
    this.#socket.end(DISCONNECT);
  }
}

async function openSocket(options: LoadOptions, clientId: string): Promise<Socket> {
  const { port, host = '127.0.0.1', from } = options;
  const socket = connect({ port, host, noDelay: true, ...(from !== undefined && { localAddress: from }) });
  const closed = new AbortController();
  socket.once('close', () => closed.abort());
  await once(socket, 'connect');
  socket.write(connectPacket({ clientId, clean: true, keepAliveS: 60 }));
  const [chunk] = (await once(socket, 'data', { signal: closed.signal })) as [Buffer];
  if (chunk[0] !== CONNACK << 4 || chunk[3] !== 0) throw new Error(`CONNECT refused: ${chunk.toString('hex')}`);
  return socket;
}

/**
 * Publishes at QoS 1 and resolves when every message sent is acknowledged.
 * @throws Error when a connection is refused or breaks: what was measured until then says nothing.
 */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const latency = new LatencyHistogram();
  const limit = options.messageCount ?? Number.POSITIVE_INFINITY;
  const done = Promise.withResolvers<void>();
  // A connection may break before the last one is open, and before anybody waits.
  done.promise.catch(() => undefined);
  const clients: LoadClient[] = [];
  let sent = 0;
  let acked = 0;
  let stopped = false;

  const finishWhenIdle = (): void => {
    if (acked === sent && (stopped || sent >= limit)) done.resolve();
  };
  const sendMore = (client: LoadClient, count: number): void => {
    const allowed = stopped ? 0 : Math.min(count, limit - sent);
    if (allowed > 0) {
      sent += allowed;
      client.send(allowed);
    }
  };
  const onAck = (client: LoadClient, count: number): void => {
    acked += count;
    if (options.ratePerS === undefined) sendMore(client, count);
    finishWhenIdle();
  };
  const stop = (): void => {
    stopped = true;
    finishWhenIdle();
  };

  for (let index = 0; index < options.clientCount; index += 1) {
    const device = `${options.prefix ?? 'c'}${index}`;
    const socket = await openSocket(options, `load-${device}`);
    socket.on('error', (error) => done.reject(error));
    socket.on('close', () => done.reject(new Error(`the broker closed the connection of ${device}`)));
    const topic = options.topic?.(device) ?? `devices/${device}/telemetry`;
    clients.push(new LoadClient({ socket, topic, payload: template(device, options.payloadBytes), latency, onAck }));
  }

  const startedAt = performance.now();
  options.signal?.addEventListener('abort', stop, { once: true });
  const pacer =
    options.ratePerS === undefined ? undefined : pace(clients, options.ratePerS, options.inFlight, sendMore);
  if (pacer === undefined) for (const client of clients) sendMore(client, options.inFlight);
  if (options.signal?.aborted) stop();
  try {
    await done.promise;
  } finally {
    clearInterval(pacer);
    options.signal?.removeEventListener('abort', stop);
    for (const client of clients) client.close();
  }
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    sentCount: sent,
    ackedCount: acked,
    seconds,
    ackedPerS: Math.round(acked / seconds),
    p50Ms: latency.percentileMs(0.5),
    p99Ms: latency.percentileMs(0.99),
    maxMs: latency.percentileMs(1),
    outOfOrderCount: clients.reduce((sum, client) => sum + client.outOfOrderCount, 0),
  };
}

/** Sends at a steady rate, clients in turn; a client at its limit of messages in flight is passed over. */
function pace(
  clients: readonly LoadClient[],
  ratePerS: number,
  inFlight: number,
  send: (client: LoadClient, count: number) => void,
): NodeJS.Timeout {
  const startedAt = performance.now();
  let due = 0;
  let next = 0;
  return setInterval(() => {
    const target = ((performance.now() - startedAt) / 1000) * ratePerS;
    for (; due + 1 <= target; due += 1) {
      const client = clients[next % clients.length];
      next += 1;
      if (client !== undefined && client.inFlight < inFlight) send(client, 1);
    }
  }, TICK_MS);
}
