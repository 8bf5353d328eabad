/**
 * Brokers that do what they are told: one, or several, of which the first leads everything until others are told to; every
 * topic exists. They speak just enough of Kafka's protocol for a producer and its transactions, and answer as the script says.
 */

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type Breakage, type SpoiltAnswer, sendSpoilt } from './broken.ts';
import { array, framed, int8, int16, int32, int64, Reader, string } from './codec.ts';
import { COORDINATOR_APIS, type CoordinatorApi, FakeCoordinator } from './coordinator.ts';
import { type ProducedRecord, type ProducePart, type ProduceRequest, readProduce } from './produced.ts';

/** What becomes of one Produce request. */
export type Answer =
  /** Taken, and told so; `throttleMs` as quotas do. */
  | { readonly kind: 'take'; readonly throttleMs?: number }
  /** Not taken, with an error code of Kafka's for all of it, or for some. */
  | { readonly kind: 'refuse'; readonly code: number; readonly when?: (part: ProducePart) => boolean }
  /** `taken`: it is in the log all the same, only the answer is missing or broken. */
  | { readonly kind: Breakage | 'silence'; readonly taken: boolean };

/** All that is asked for but Produce. */
export type AskedApi = CoordinatorApi | 'Metadata' | 'ApiVersions';

const PRODUCE = 0;
const METADATA = 3;
const API_VERSIONS = 18;
const UNSUPPORTED_VERSION = 35;
/** Key, and the versions whose bytes are known here. */
const APIS = [[PRODUCE, 3, 7], [METADATA, 4, 5], [API_VERSIONS, 0, 2], ...Object.values(COORDINATOR_APIS)] as const;
const ASKED: ReadonlyMap<number, AskedApi> = new Map<number, AskedApi>([
  [METADATA, 'Metadata'],
  [API_VERSIONS, 'ApiVersions'],
  ...Object.entries(COORDINATOR_APIS).map(([name, [key]]) => [key, name as CoordinatorApi] as const),
]);
const MAX_API_VERSIONS = 2;
const PARTITIONS = 3;
const NOT_LEADER = 6;

export class FakeKafka {
  /** In the order of arrival, repetitions included; those of a transaction when it is committed. */
  readonly records: ProducedRecord[] = [];
  /** The next Produce request gets the first one; when there are none left, all are taken. */
  readonly script: Answer[] = [];
  /** Instead of the script, for every Produce request, while it is set. */
  always: Answer | undefined;
  produceCount = 0;
  /** How the answers to the next requests of that kind are broken; `taken`: what was asked for is done all the same. */
  readonly breakages = new Map<AskedApi, { readonly how: Breakage; readonly taken: boolean }[]>();
  /** Bytes of answers without an end that were sent. */
  floodedBytes = 0;
  /** Brokers by partition, the first is 1. */
  readonly leaders = Array.from({ length: PARTITIONS }, () => 1);
  readonly coordinator = new FakeCoordinator((records) => this.records.push(...records));
  /** The broker that coordinates. */
  coordinatorNode = 1;
  /** Called with the broker that gets a Produce request, before that is answered. */
  onProduce: ((node: number) => void) | undefined;
  readonly #servers: readonly Server[];
  readonly #sockets = new Set<Socket>();

  private constructor(nodes: number) {
    this.#servers = Array.from({ length: nodes }, (_, index) =>
      createServer((socket) => this.#serve(socket, index + 1)),
    );
  }

  static async start({ nodes = 1 } = {}): Promise<FakeKafka> {
    const kafka = new FakeKafka(nodes);
    for (const server of kafka.#servers) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    return kafka;
  }

  /** Of the first broker. */
  get broker(): string {
    return `127.0.0.1:${this.#port(1)}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) {
      server.close();
      await once(server, 'close');
    }
  }

  #port(node: number): number {
    const { port = 0 } = (this.#servers[node - 1]?.address() ?? {}) as Partial<AddressInfo>;
    return port;
  }

  #serve(socket: Socket, node: number): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.byteLength >= 4 && rest.byteLength >= 4 + rest.readInt32BE(0)) {
        const end = 4 + rest.readInt32BE(0);
        this.#request(socket, node, new Reader(rest.subarray(4, end)));
        rest = rest.subarray(end);
      }
    });
  }

  #request(socket: Socket, node: number, reader: Reader): void {
    const api = reader.int16();
    const version = reader.int16();
    const correlation = int32(reader.int32());
    reader.string();
    const asked = ASKED.get(api);
    if (asked !== undefined) this.#asked(socket, asked, { reader, version, node, correlation });
    else if (api === PRODUCE) this.#produce(socket, { request: readProduce(reader), node, correlation });
    else socket.destroy();
  }

  #asked(socket: Socket, api: AskedApi, { reader, version, node, correlation }: Asked): void {
    const breakage = this.breakages.get(api)?.shift();
    const answer = (): Buffer => {
      if (api === 'Metadata') return this.#metadata(reader);
      if (api === 'ApiVersions') return apiVersions(version);
      const now = { id: this.coordinatorNode, port: this.#port(this.coordinatorNode) };
      return this.coordinator.answer(api, { reader, version, asked: node, now });
    };
    const whole = framed(correlation, breakage?.taken === false ? Buffer.alloc(8) : answer());
    if (breakage === undefined) socket.write(whole);
    else this.#spoil(socket, { how: breakage.how, whole, correlation });
  }

  #spoil(socket: Socket, answer: Pick<SpoiltAnswer, 'how' | 'whole' | 'correlation'>): void {
    const onFlood = (bytes: number): void => {
      this.floodedBytes += bytes;
    };
    sendSpoilt(socket, { ...answer, onFlood });
  }

  /** Version 5. */
  #metadata(reader: Reader): Buffer {
    const topics = reader.array(() => reader.string() ?? '');
    const nodes = this.#servers.map((_, index) => index + 1);
    const broker = (node: number): Buffer =>
      Buffer.concat([int32(node), string('127.0.0.1'), int32(this.#port(node)), string(null)]);
    const partition = (leader: number, index: number): Buffer =>
      Buffer.concat([
        int16(0),
        int32(index),
        int32(leader),
        array(nodes, int32),
        array(nodes, int32),
        array([], int32),
      ]);
    const partitions = this.leaders.map(partition);
    const topic = (name: string): Buffer =>
      Buffer.concat([int16(0), string(name), int8(0), array(partitions, (bytes) => bytes)]);
    return Buffer.concat([int32(0), array(nodes, broker), string('fake'), int32(1), array(topics, topic)]);
  }

  #produce(socket: Socket, { request, node, correlation }: Produce): void {
    this.produceCount += 1;
    this.onProduce?.(node);
    const { parts } = request;
    const answer = this.always ?? this.script.shift() ?? { kind: 'take' };
    const refusal = (part: ProducePart): number => {
      if (answer.kind === 'refuse' && (answer.when?.(part) ?? true)) return answer.code;
      return this.leaders[part.partition] === node ? 0 : NOT_LEADER;
    };
    const refusals = new Map(parts.map((part) => [part, refusal(part)]));
    const good = parts.filter((part) => refusals.get(part) === 0);
    const isTaken = answer.kind === 'take' || answer.kind === 'refuse' || answer.taken;
    const code = isTaken ? this.#take(request, good) : 0;
    const result = (part: ProducePart): Buffer =>
      Buffer.concat([int32(part.partition), int16(refusals.get(part) || code), int64(0), int64(-1), int64(0)]);
    const byTopic = [...Map.groupBy(parts, ({ topic }) => topic)];
    const topic = ([name, its]: [string, readonly ProducePart[]]): Buffer =>
      Buffer.concat([string(name), array(its, result)]);
    const throttleMs = answer.kind === 'take' ? (answer.throttleMs ?? 0) : 0;
    const whole = framed(correlation, array(byTopic, topic), int32(throttleMs));
    if (answer.kind === 'take' || answer.kind === 'refuse') socket.write(whole);
    // Well formed, and not a word of any partition.
    else if (answer.kind === 'silence') socket.write(framed(correlation, int32(0), int32(0)));
    else this.#spoil(socket, { how: answer.kind, whole, correlation });
  }

  #take(request: ProduceRequest, parts: readonly ProducePart[]): number {
    if (request.transactionalId !== null) return this.coordinator.take(request, parts);
    for (const { records } of parts) this.records.push(...records);
    return 0;
  }
}

interface Asked {
  readonly reader: Reader;
  readonly version: number;
  readonly node: number;
  readonly correlation: Buffer;
}

interface Produce {
  readonly request: ProduceRequest;
  readonly node: number;
  readonly correlation: Buffer;
}

/** A version that is not known is answered in version 0 (KIP-511). */
function apiVersions(version: number): Buffer {
  const known = version <= MAX_API_VERSIONS;
  const apis = array(APIS, ([key, min, max]) => Buffer.concat([int16(key), int16(min), int16(max)]));
  const head = Buffer.concat([int16(known ? 0 : UNSUPPORTED_VERSION), apis]);
  return known && version > 0 ? Buffer.concat([head, int32(0)]) : head;
}
