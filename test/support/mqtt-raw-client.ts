import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { waitFor } from './wait-for.ts';

export interface RawConnect {
  readonly clientId: string;
  readonly clean?: boolean;
  readonly keepAliveS?: number;
  readonly username?: string;
  readonly password?: string;
  readonly will?: {
    readonly topic: string;
    readonly payload: string;
    readonly qos?: 0 | 1 | 2;
    readonly retain?: boolean;
  };
  /** Default `MQTT`, level 4. */
  readonly protocol?: string;
  readonly level?: number;
}

export interface RawPublish {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly qos?: 0 | 1 | 2;
  readonly packetId?: number;
  readonly dup?: boolean;
  readonly retain?: boolean;
}

export interface RawPacket {
  readonly type: PacketType | undefined;
  readonly flags: number;
  readonly body: Buffer;
}

const TYPES = [
  undefined,
  'connect',
  'connack',
  'publish',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'subscribe',
  'suback',
  'unsubscribe',
  'unsuback',
  'pingreq',
  'pingresp',
  'disconnect',
] as const;
export type PacketType = Exclude<(typeof TYPES)[number], undefined>;

function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

function word(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

export function packet(firstByte: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length: number[] = [];
  for (let rest = body.length; length.length === 0 || rest > 0; rest = Math.floor(rest / 128)) {
    length.push((rest % 128) | (rest >= 128 ? 128 : 0));
  }
  return Buffer.concat([Buffer.from([firstByte, ...length]), body]);
}

export function connectBytes(options: RawConnect): Buffer {
  const { clientId, clean = true, keepAliveS = 0, username, password, will, protocol = 'MQTT', level = 4 } = options;
  const willFlags = will === undefined ? 0 : 4 | ((will.qos ?? 0) << 3) | (will.retain ? 32 : 0);
  const flags = (clean ? 2 : 0) | willFlags | (password === undefined ? 0 : 64) | (username === undefined ? 0 : 128);
  const fields = [clientId, will?.topic, will?.payload, username, password].filter((field) => field !== undefined);
  return packet(0x10, text(protocol), Buffer.from([level, flags]), word(keepAliveS), ...fields.map(text));
}

export function publishBytes({ topic, payload, qos = 0, packetId, dup, retain }: RawPublish): Buffer {
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  return packet(first, text(topic), packetId === undefined ? Buffer.alloc(0) : word(packetId), Buffer.from(payload));
}

export function subscribeBytes(
  packetId: number,
  filters: readonly (readonly [filter: string, qos: 0 | 1 | 2])[],
): Buffer {
  return packet(
    0x82,
    word(packetId),
    ...filters.map(([filter, qos]) => Buffer.concat([text(filter), Buffer.from([qos])])),
  );
}

export function unsubscribeBytes(packetId: number, filters: readonly string[]): Buffer {
  return packet(0xa2, word(packetId), ...filters.map(text));
}

export function ackBytes(type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp', packetId: number): Buffer {
  return packet((TYPES.indexOf(type) << 4) | (type === 'pubrel' ? 2 : 0), word(packetId));
}

/** A client that sends what it is told and keeps all that it gets: ids, flags, order and moments are the test's. */
export class RawClient {
  readonly socket: Duplex;
  readonly received: RawPacket[] = [];
  closed = false;
  /** As CONNACK said. */
  sessionPresent = false;
  readonly #cutter = new PacketCutter();

  private constructor(socket: Duplex) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.closed = true;
    });
  }

  /** `from`: the address that it shows. */
  static async open(port: number, from = '127.0.0.1'): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from, noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Over something else than bare TCP. */
  static over(socket: Duplex): RawClient {
    return new RawClient(socket);
  }

  /** Connects and expects to be let in. */
  static async connected(port: number, options: RawConnect): Promise<RawClient> {
    const client = await RawClient.open(port);
    const code = await client.connect(options);
    if (code !== 0) throw new Error(`CONNACK ${code}`);
    return client;
  }

  /** The return code of CONNACK. */
  async connect(options: RawConnect): Promise<number | undefined> {
    this.send(connectBytes(options));
    const { body } = await this.next('connack');
    this.sessionPresent = body[0] === 1;
    return body[1];
  }

  send(...bytes: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(bytes));
  }

  /** The first packet of a type that was not taken yet; takes it. */
  async next(type: PacketType): Promise<RawPacket> {
    const at = await waitFor(
      () => {
        const index = this.received.findIndex((found) => found.type === type);
        return index === -1 ? undefined : { index };
      },
      { what: `${type}; got ${this.received.map((found) => found.type).join(' ')}`, timeoutMs: 5_000, everyMs: 2 },
    );
    return this.received.splice(at.index, 1)[0] as RawPacket;
  }

  /** The codes of SUBACK. */
  async subscribe(...filters: readonly (readonly [filter: string, qos: 0 | 1 | 2])[]): Promise<readonly number[]> {
    this.send(subscribeBytes(1, filters));
    return [...(await this.next('suback')).body.subarray(2)];
  }

  /** Resolves when the broker has looked at everything sent before, and at `before`. */
  async ping(...before: readonly Buffer[]): Promise<void> {
    this.send(...before, packet(0xc0));
    await this.next('pingresp');
  }

  /** Resolves when the broker had time to send what it would send: deliveries do not wait for answers. */
  async quiet(): Promise<void> {
    for (let round = 0; round < 4; round += 1) await this.ping();
  }

  async gone(): Promise<void> {
    await waitFor(() => this.closed, { what: 'the end of the connection', timeoutMs: 5_000, everyMs: 2 });
  }

  /** Waits for PUBACK; false when the connection ends before. */
  async acknowledged(packetId: number): Promise<boolean> {
    const isThere = () => this.ids('puback').includes(packetId);
    await waitFor(() => this.closed || isThere(), { what: 'PUBACK', timeoutMs: 10_000, everyMs: 2 });
    const at = this.received.findIndex(({ type, body }) => type === 'puback' && body.readUInt16BE(0) === packetId);
    if (at >= 0) this.received.splice(at, 1);
    return at >= 0;
  }

  /** Packet ids of all packets of a type, in the order of arrival. */
  ids(type: PacketType): readonly number[] {
    return this.received.filter((found) => found.type === type).map(({ body }) => body.readUInt16BE(0));
  }

  /** Messages that arrived, as `topic payload`, with QoS, and `r` when retained. */
  messages(): readonly string[] {
    return this.received.filter(({ type }) => type === 'publish').map(describe);
  }

  /** Breaks the connection without DISCONNECT. */
  break(): void {
    if (this.socket instanceof Socket) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  disconnect(): void {
    this.socket.end(packet(0xe0));
  }

  #read(chunk: Buffer): void {
    this.received.push(...this.#cutter.cut(chunk));
  }
}

/** Cuts what arrives into packets. */
export class PacketCutter {
  #rest: Buffer = Buffer.alloc(0);

  cut(chunk: Buffer): readonly RawPacket[] {
    let rest = Buffer.concat([this.#rest, chunk]);
    const packets: RawPacket[] = [];
    for (let found = cutOne(rest); found !== undefined; found = cutOne(rest)) {
      packets.push(found.packet);
      rest = rest.subarray(found.end);
    }
    this.#rest = rest;
    return packets;
  }
}

function cutOne(bytes: Buffer): { packet: RawPacket; end: number } | undefined {
  let length = 0;
  for (let at = 1; at < bytes.length && at < 5; at += 1) {
    const byte = bytes.readUInt8(at);
    length += (byte & 127) * 128 ** (at - 1);
    if (byte >= 128) continue;
    const end = at + 1 + length;
    if (bytes.length < end) return undefined;
    const first = bytes.readUInt8(0);
    return { packet: { type: TYPES[first >> 4], flags: first & 15, body: bytes.subarray(at + 1, end) }, end };
  }
  return undefined;
}

function describe({ flags, body }: RawPacket): string {
  const topicEnd = 2 + body.readUInt16BE(0);
  const qos = (flags >> 1) & 3;
  const payload = body.subarray(topicEnd + (qos > 0 ? 2 : 0)).toString();
  return `${body.toString('utf8', 2, topicEnd)} ${payload} q${qos}${flags & 1 ? 'r' : ''}`;
}

/** Packet id of a PUBLISH that arrived with QoS 1 or 2. */
export function packetIdOf({ body }: RawPacket): number {
  return body.readUInt16BE(2 + body.readUInt16BE(0));
}
