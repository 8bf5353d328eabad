import type { KeptStore } from '../core/browser.ts';
import type { SluiceError } from '../core/errors.ts';
import type { Batch, ReadLimit } from '../core/lane-log.ts';
import type { LogStats, NewReplay, ReplayStats, ReplayStore, Salvaged } from '../core/log-stats.ts';
import type { Appended, LogEntry, LogWriter, Room } from '../core/ports.ts';
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
import type { DeviceRow, SessionStore, StateStore } from '../core/state-store.ts';
import type { Stream } from '../core/stream.ts';
import { type Port, RpcClient } from '../platform/rpc.ts';
import { AppendPipe } from './append-pipe.ts';
import { ClientIdClaims } from './client-id-claims.ts';
import type { MainOperations, StoreOpened, StoreOptions } from './protocol.ts';

/** The store as the main thread sees it. */
export class StoreClient implements LogWriter, StateStore, SessionStore, KeptStore, ReplayStore {
  readonly #rpc: RpcClient<MainOperations>;
  readonly #pipe: AppendPipe;
  readonly #claims: ClientIdClaims;

  constructor(port: Port) {
    this.#rpc = new RpcClient(port);
    this.#pipe = new AppendPipe((pack) => this.#rpc.call('append', pack, [pack.buffer]));
    this.#claims = new ClientIdClaims((claims) => this.#rpc.call('claimClientIds', claims));
  }

  open(options: StoreOptions): Promise<StoreOpened> {
    this.#pipe.linger(options.commitIntervalMs);
    return this.#rpc.call('open', options);
  }

  get room(): Room {
    return this.#pipe.room;
  }

  append(entry: LogEntry): Promise<Appended> {
    return this.#pipe.append(entry);
  }

  async stats(): Promise<LogStats> {
    const stats = await this.#rpc.call('stats', null);
    this.#pipe.noteStats(stats.room);
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
    this.#pipe.hurry();
    await this.#rpc.call('hurry', null);
  }

  /** What is garbage in the thread of the store goes back to the system: a pause of some hundredths of a second. */
  async giveBackMemory(): Promise<void> {
    await this.#rpc.call('giveBackMemory', null);
  }

  /** Resolves when everything of a damaged log is put back that can be read; at once, with null, when none was. */
  salvaged(): Promise<Salvaged | null> {
    return this.#rpc.call('salvaged', null);
  }

  /**
   * To be called when every lane of the configuration was opened: had the log lost its positions, one that is opened first
   * after this is new.
   */
  async forgetLostPositions(): Promise<void> {
    await this.#rpc.call('forgetLostPositions', null);
  }

  /** From now on a write-ahead log that is gone is not taken for a loss: whoever closes the log last removes it. */
  async beginClosing(): Promise<void> {
    await this.#rpc.call('beginClosing', null);
  }

  /** Commits what waits, truncates the write-ahead logs, closes both files. */
  async close(): Promise<void> {
    await this.#rpc.call('close', null);
  }

  /** The worker is gone: everything that waits is rejected. */
  fail(error: SluiceError): void {
    this.#rpc.fail(error);
    this.#pipe.fail(error);
  }
}
