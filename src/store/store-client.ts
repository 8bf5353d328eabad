import type { KeptStore } from '../core/browser.ts';
import type { SluiceError } from '../core/errors.ts';
import type {
  Appended,
  Batch,
  DeviceRow,
  LogEntry,
  LogStats,
  LogWriter,
  NewReplay,
  ReadLimit,
  ReplayStats,
  ReplayStore,
  Room,
  SessionStore,
  StateStore,
} from '../core/ports.ts';
import type { BootStart, Seq } from '../core/record.ts';
import type {
  KeptMessage,
  Place,
  QueueChange,
  QueuePage,
  QueuePosition,
  RetainedMessage,
  SessionChange,
  SessionId,
  SessionRow,
  StoredWill,
} from '../core/session.ts';
import type { Stream } from '../core/stream.ts';
import { type Port, RpcClient } from '../platform/rpc.ts';
import { ClientIdClaims } from './client-id-claims.ts';
import { PackWriter } from './pack.ts';
import {
  APPEND_OUTCOMES,
  type AppendResult,
  type MainOperations,
  type StoreOpened,
  type StoreOptions,
} from './protocol.ts';

/** Packs on their way at once: one is being committed, one is already there, and one is being answered. */
const MAX_PACKS_IN_FLIGHT = 3;
/** With a commit interval so many more wait for its end, handed over at even distances. */
const PACKS_PER_INTERVAL = 16;
const MAX_BYTES_IN_FLIGHT = 12 * 1024 * 1024;
/** So many entries do not wait for the end of the turn: the worker commits them while the rest is decoded. */
const EAGER_COUNT = 100;
const MAX_PACK_BYTES = 4 * 1024 * 1024;
const NOTHING: Appended = { firstSeq: 0, duplicate: false };
const DUPLICATE: Appended = { firstSeq: 0, duplicate: true };
const REUSED: Appended = { firstSeq: 0, duplicate: false, keyReused: true };

interface Waiting {
  resolve(appended: Appended): void;
  reject(error: unknown): void;
}

interface QueuedEntry extends Waiting {
  readonly entry: LogEntry;
}

/**
 * The store as the main thread sees it. What is appended during one turn of the loop, or while the worker is busy,
 * goes over in one pack; a long turn hands over several. Memory: 12 MiB of packs, and what the sources hold back while their messages wait.
 */
export class StoreClient implements LogWriter, StateStore, SessionStore, KeptStore, ReplayStore {
  readonly #rpc: RpcClient<MainOperations>;
  readonly #pack = new PackWriter();
  readonly #claims: ClientIdClaims;
  #packed: Waiting[] = [];
  /** Entries that found the pack full, in order. */
  #overflow: QueuedEntry[] = [];
  #inFlight = 0;
  #bytesInFlight = 0;
  #maxInFlight = MAX_PACKS_IN_FLIGHT;
  #lingerMs = 0;
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #hasFailed = false;
  /** Bytes of all that was ever packed. */
  #packedBytes = 0;
  #room: Room = { bytes: Number.POSITIVE_INFINITY, capacityBytes: Number.POSITIVE_INFINITY };
  /** Of it what has been answered. */
  #landedBytes = 0;
  /** What of it was in the room that the store told last. */
  #toldAt = 0;

  constructor(port: Port) {
    this.#rpc = new RpcClient(port);
    this.#claims = new ClientIdClaims((claims) => this.#rpc.call('claimClientIds', claims));
  }

  open(options: StoreOptions): Promise<StoreOpened> {
    this.#lingerMs = options.commitIntervalMs / PACKS_PER_INTERVAL;
    if (this.#lingerMs > 0) this.#maxInFlight = MAX_PACKS_IN_FLIGHT + PACKS_PER_INTERVAL;
    return this.#rpc.call('open', options);
  }

  get room(): Room {
    const { bytes, capacityBytes } = this.#room;
    return { bytes: Math.max(0, bytes - (this.#packedBytes - this.#toldAt)), capacityBytes };
  }

  append(entry: LogEntry): Promise<Appended> {
    if (entry.kind === 'barrier' && this.#isIdle()) return Promise.resolve(NOTHING);
    return new Promise((resolve, reject) => {
      if (this.#overflow.length > 0 || this.#pack.byteLength >= MAX_PACK_BYTES) {
        this.#overflow.push({ entry, resolve, reject });
      } else this.#add(entry, { resolve, reject });
      if (this.#packed.length >= EAGER_COUNT && this.#maySend()) this.#send();
      else this.#schedule();
    });
  }

  async stats(): Promise<LogStats> {
    const stats = await this.#rpc.call('stats', null);
    // While nothing is appended nothing else tells that there is room again.
    this.#noteRoom(stats.room, this.#landedBytes);
    return stats;
  }

  read(stream: Stream, after: Seq, limit: ReadLimit): Promise<Batch> {
    return this.#rpc.call('read', { stream, after, limit });
  }

  loadDevices(): Promise<readonly DeviceRow[]> {
    return this.#rpc.call('loadDevices', null);
  }

  async putSecret(id: string, secretHash: string): Promise<void> {
    await this.#rpc.call('putSecret', { id, secretHash });
  }

  removeDevice(id: string): Promise<boolean> {
    return this.#rpc.call('removeDevice', id);
  }

  claimClientId(clientId: string, owner: string, at: number): Promise<boolean> {
    return this.#claims.claim({ clientId, owner, at });
  }

  async saveSeen(rows: readonly DeviceRow[], upTo: Seq): Promise<void> {
    await this.#rpc.call('saveSeen', { rows, upTo });
  }

  seenUpTo(): Promise<Seq> {
    return this.#rpc.call('seenUpTo', null);
  }

  async setPaused(uplink: string, paused: boolean): Promise<void> {
    await this.#rpc.call('setPaused', { uplink, paused });
  }

  pausedUplinks(): Promise<readonly string[]> {
    return this.#rpc.call('pausedUplinks', null);
  }

  loadSessions(after: SessionId, maxCount: number): Promise<readonly SessionRow[]> {
    return this.#rpc.call('loadSessions', { after, maxCount });
  }

  async saveSessions(changes: readonly SessionChange[]): Promise<void> {
    await this.#rpc.call('saveSessions', changes);
  }

  loadQueues(after: QueuePosition, maxCount: number): Promise<QueuePage> {
    return this.#rpc.call('loadQueues', { after, maxCount });
  }

  async changeQueues(changes: readonly QueueChange[]): Promise<void> {
    await this.append({ kind: 'queues', changes });
  }

  async keep(message: KeptMessage): Promise<void> {
    await this.append({ kind: 'records', records: [], handshake: null, keep: message });
  }

  loadWills(after: Place, maxCount: number): Promise<readonly StoredWill[]> {
    return this.#rpc.call('loadWills', { after, maxCount });
  }

  loadRetained(afterTopic: string, maxCount: number): Promise<readonly RetainedMessage[]> {
    return this.#rpc.call('loadRetained', { afterTopic, maxCount });
  }

  lastPlace(): Promise<Place> {
    return this.#rpc.call('lastPlace', null);
  }

  retryReject(id: number): Promise<Seq | undefined> {
    return this.#rpc.call('retryReject', id);
  }

  removeReject(id: number): Promise<boolean> {
    return this.#rpc.call('removeReject', id);
  }

  removeRefused(id: number): Promise<boolean> {
    return this.#rpc.call('removeRefused', id);
  }

  addReplay(replay: NewReplay): Promise<ReplayStats> {
    return this.#rpc.call('addReplay', replay);
  }

  replays(): Promise<readonly ReplayStats[]> {
    return this.#rpc.call('replays', null);
  }

  removeReplay(id: number): Promise<boolean> {
    return this.#rpc.call('removeReplay', id);
  }

  /** The clock was synchronised: records of that boot from before have their true times once this resolves. */
  async noteSync(boot: BootStart): Promise<void> {
    await this.#rpc.call('noteSync', boot);
  }

  /** Before a stop: from now on nothing waits for `commitIntervalMs`. */
  async hurry(): Promise<void> {
    this.#lingerMs = 0;
    clearTimeout(this.#timer);
    this.#scheduled = false;
    this.#send();
    await this.#rpc.call('hurry', null);
  }

  /** Resolves when everything of a damaged log is put back that can be read; at once when none was. */
  async salvaged(): Promise<void> {
    await this.#rpc.call('salvaged', null);
  }

  /** Commits what waits, truncates the write-ahead logs, closes both files. */
  async close(): Promise<void> {
    await this.#rpc.call('close', null);
  }

  /** The worker is gone: everything that waits is rejected. */
  fail(error: SluiceError): void {
    this.#hasFailed = true;
    this.#rpc.fail(error);
    for (const { reject } of [...this.#packed, ...this.#overflow]) reject(error);
    this.#packed = [];
    this.#overflow = [];
  }

  /** A worker that is gone is asked, so that the barrier fails as everything does. */
  #isIdle(): boolean {
    if (this.#hasFailed) return false;
    return this.#inFlight === 0 && this.#packed.length === 0 && this.#overflow.length === 0;
  }

  /** `waiting` without the entry: once packed, that is not needed again. */
  #add(entry: LogEntry, waiting: Waiting): void {
    const before = this.#pack.byteLength;
    this.#pack.add(entry);
    this.#packedBytes += this.#pack.byteLength - before;
    this.#packed.push(waiting);
  }

  #schedule(): void {
    if (this.#scheduled || !this.#maySend()) return;
    this.#scheduled = true;
    const send = () => {
      this.#scheduled = false;
      this.#send();
    };
    if (this.#lingerMs > 0) this.#timer = setTimeout(send, this.#lingerMs);
    else setImmediate(send);
  }

  #maySend(): boolean {
    return this.#inFlight < this.#maxInFlight && this.#bytesInFlight < MAX_BYTES_IN_FLIGHT;
  }

  #send(): void {
    if (this.#packed.length === 0 || !this.#maySend()) return;
    const waiting = this.#packed;
    const pack = this.#pack.take();
    const packedBytes = this.#packedBytes;
    this.#packed = [];
    const { byteLength } = pack;
    this.#inFlight += 1;
    this.#bytesInFlight += byteLength;
    const landed = () => {
      this.#inFlight -= 1;
      this.#bytesInFlight -= byteLength;
      this.#refill();
    };
    this.#rpc.call('append', pack, [pack.buffer]).then(
      (result) => {
        landed();
        this.#landedBytes = packedBytes;
        const [bytes = 0, capacityBytes = 0] = result.subarray(-2);
        this.#noteRoom({ bytes, capacityBytes }, packedBytes);
        resolveAll(waiting, result);
      },
      (error: unknown) => {
        landed();
        for (const { reject } of waiting) reject(error);
      },
    );
    this.#refill();
  }

  #noteRoom(room: Room, packedBytes: number): void {
    this.#room = room;
    this.#toldAt = packedBytes;
  }

  #refill(): void {
    let taken = 0;
    while (taken < this.#overflow.length && this.#pack.byteLength < MAX_PACK_BYTES) {
      const next = this.#overflow[taken];
      if (next !== undefined) this.#add(next.entry, { resolve: next.resolve, reject: next.reject });
      taken += 1;
    }
    if (taken > 0) this.#overflow.splice(0, taken);
    if (this.#packed.length > 0) this.#schedule();
  }
}

function resolveAll(waiting: readonly Waiting[], result: AppendResult): void {
  for (let i = 0; i < waiting.length; i++) waiting[i]?.resolve(appended(result[2 * i] ?? 0, result[2 * i + 1] ?? 0));
}

function appended(firstSeq: Seq, outcome: number): Appended {
  switch (APPEND_OUTCOMES[outcome]) {
    case 'duplicate':
      return firstSeq === 0 ? DUPLICATE : { firstSeq, duplicate: true };
    case 'reused':
      return REUSED;
    default:
      return firstSeq === 0 ? NOTHING : { firstSeq, duplicate: false };
  }
}
