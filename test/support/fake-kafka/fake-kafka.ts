/**
 * A broker that does what it is told: alone in its cluster, leader of everything, every topic exists. It speaks just
 * enough of Kafka's protocol for a producer, and answers Produce as the script says.
 */

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { array, framed, int8, int16, int32, int64, Reader, string } from './codec.ts';
import { type ProducedRecord, type ProducePart, readProduce } from './produced.ts';

/** What becomes of one Produce request. */
export type Answer =
  /** Taken, and told so; `throttleMs` as quotas do. */
  | { readonly kind: 'take'; readonly throttleMs?: number }
  /** Not taken, with an error code of Kafka's for all of it, or for some. */
  | { readonly kind: 'refuse'; readonly code: number; readonly when?: (part: ProducePart) => boolean }
  /** `taken`: it is in the log all the same, only the answer is missing or broken. */
  | { readonly kind: 'hang' | 'half' | 'garbage' | 'silence' | 'huge' | 'cut'; readonly taken: boolean };

const PRODUCE = 0;
const METADATA = 3;
const API_VERSIONS = 18;
const INIT_PRODUCER_ID = 22;
const UNSUPPORTED_VERSION = 35;
/** Key, and the versions whose bytes are known here. */
const APIS = [
  [PRODUCE, 3, 7],
  [METADATA, 4, 5],
  [API_VERSIONS, 0, 2],
  [INIT_PRODUCER_ID, 0, 1],
] as const;
const MAX_API_VERSIONS = 2;
const PARTITIONS = 3;
const NODE = 1;
const HUGE = 0x7fff_fff0;

export class FakeKafka {
  /** In the order of arrival, repetitions included. */
  readonly records: ProducedRecord[] = [];
  /** The next Produce request gets the first one; when there are none left, all are taken. */
  readonly script: Answer[] = [];
  /** Instead of the script, for every Produce request, while it is set. */
  always: Answer | undefined;
  produceCount = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(): Promise<FakeKafka> {
    const kafka = new FakeKafka();
    kafka.#server.listen(0, '127.0.0.1');
    await once(kafka.#server, 'listening');
    return kafka;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get broker(): string {
    return `127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.byteLength >= 4 && rest.byteLength >= 4 + rest.readInt32BE(0)) {
        const end = 4 + rest.readInt32BE(0);
        this.#request(socket, new Reader(rest.subarray(4, end)));
        rest = rest.subarray(end);
      }
    });
  }

  #request(socket: Socket, reader: Reader): void {
    const api = reader.int16();
    const version = reader.int16();
    const correlation = int32(reader.int32());
    reader.string();
    const reply = (...parts: readonly Buffer[]) => void socket.write(framed(correlation, ...parts));
    switch (api) {
      case API_VERSIONS:
        reply(apiVersions(version));
        break;
      case METADATA:
        reply(this.#metadata(reader));
        break;
      case INIT_PRODUCER_ID:
        reply(int32(0), int16(0), int64(1), int16(0));
        break;
      case PRODUCE:
        this.#produce(socket, { parts: readProduce(reader), correlation });
        break;
      default:
        socket.destroy();
    }
  }

  /** Version 5. */
  #metadata(reader: Reader): Buffer {
    const topics = reader.array(() => reader.string() ?? '');
    const broker = Buffer.concat([int32(NODE), string('127.0.0.1'), int32(this.port), string(null)]);
    const partition = (index: number): Buffer =>
      Buffer.concat([
        int16(0),
        int32(index),
        int32(NODE),
        array([NODE], int32),
        array([NODE], int32),
        array([], int32),
      ]);
    const partitions = Array.from({ length: PARTITIONS }, (_, index) => index);
    const topic = (name: string): Buffer =>
      Buffer.concat([int16(0), string(name), int8(0), array(partitions, partition)]);
    return Buffer.concat([
      int32(0),
      array([broker], (bytes) => bytes),
      string('fake'),
      int32(NODE),
      array(topics, topic),
    ]);
  }

  #produce(socket: Socket, { parts, correlation }: { parts: readonly ProducePart[]; correlation: Buffer }): void {
    this.produceCount += 1;
    const answer = this.always ?? this.script.shift() ?? { kind: 'take' };
    const isRefused = (part: ProducePart): boolean => answer.kind === 'refuse' && (answer.when?.(part) ?? true);
    const code = answer.kind === 'refuse' ? answer.code : 0;
    const throttleMs = answer.kind === 'take' ? (answer.throttleMs ?? 0) : 0;
    if (answer.kind === 'take' || answer.kind === 'refuse' || answer.taken) {
      for (const part of parts) if (!isRefused(part)) this.records.push(...part.records);
    }
    const result = (part: ProducePart): Buffer =>
      Buffer.concat([int32(part.partition), int16(isRefused(part) ? code : 0), int64(0), int64(-1), int64(0)]);
    const byTopic = [...Map.groupBy(parts, ({ topic }) => topic)];
    const topic = ([name, its]: [string, readonly ProducePart[]]): Buffer =>
      Buffer.concat([string(name), array(its, result)]);
    const whole = framed(correlation, array(byTopic, topic), int32(throttleMs));
    answerWith(socket, { answer, whole, correlation });
  }
}

function answerWith(
  socket: Socket,
  { answer, whole, correlation }: { answer: Answer; whole: Buffer; correlation: Buffer },
): void {
  switch (answer.kind) {
    case 'take':
    case 'refuse':
      socket.write(whole);
      break;
    case 'hang':
      break;
    case 'half':
      socket.end(whole.subarray(0, whole.byteLength >> 1));
      break;
    case 'garbage':
      socket.write(framed(correlation, Buffer.alloc(64, 0xa5)));
      break;
    case 'silence':
      // Well formed, and not a word of any partition.
      socket.write(framed(correlation, int32(0), int32(0)));
      break;
    case 'huge':
      socket.write(Buffer.concat([int32(HUGE), correlation, Buffer.alloc(1_024)]));
      break;
    case 'cut':
      socket.resetAndDestroy();
      break;
  }
}

/** A version that is not known is answered in version 0 (KIP-511). */
function apiVersions(version: number): Buffer {
  const known = version <= MAX_API_VERSIONS;
  const apis = array(APIS, ([key, min, max]) => Buffer.concat([int16(key), int16(min), int16(max)]));
  const head = Buffer.concat([int16(known ? 0 : UNSUPPORTED_VERSION), apis]);
  return known && version > 0 ? Buffer.concat([head, int32(0)]) : head;
}
