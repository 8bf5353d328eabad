import type { Handshake } from '../../core/record.ts';
import type { Place, StoredWill } from '../../core/session.ts';
import { ByteBudget, type ByteBudgetLimits } from './byte-budget.ts';
import type { Qos } from './packet.ts';
import type { SessionJournal } from './session-journal.ts';

/** Whose will it is: one connection. */
export interface Testator {
  readonly clientId: string;
  readonly identity: string | null;
}

/** As CONNECT carries it. */
export interface Will {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly qos?: Qos | undefined;
  readonly retain?: boolean | undefined;
}

export interface WillLimits extends ByteBudgetLimits {
  readonly maxCount: number;
}

export interface WillsOptions {
  readonly limits: WillLimits;
  readonly journal: SessionJournal;
  readonly nextId: () => Place;
  /** There was no room: a gateway that is killed will not publish this one. */
  readonly onFull: (clientId: string) => void;
}

interface Kept {
  readonly owner: string;
  readonly bytes: number;
}

/** Clients that come and go within it write nothing, and those that come together are written together. */
const LATER_MS = 200;
/** No client may have a control character in its id, so no key is one of theirs. */
const KEY = '\u0001will/';
/** Of a row, beside topic and payload, about. */
const ROW_BYTES = 256;

/**
 * The wills of connected clients, on disk too: a kill of the gateway breaks all connections, and wills are for that.
 * A will belongs to its connection; the next one of the same client has another.
 */
export class Wills {
  readonly #limits: WillLimits;
  readonly #journal: SessionJournal;
  readonly #nextId: () => Place;
  readonly #onFull: WillsOptions['onFull'];
  readonly #connected = new Map<Testator, Place>();
  /** Not on disk yet, nor on the way. */
  readonly #fresh = new Map<Place, StoredWill>();
  /** Everything that is on disk, or will be. */
  readonly #kept = new Map<Place, Kept>();
  readonly #budget: ByteBudget;
  #left: readonly StoredWill[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor({ limits, journal, nextId, onFull }: WillsOptions) {
    this.#limits = limits;
    this.#budget = new ByteBudget(limits);
    this.#journal = journal;
    this.#nextId = nextId;
    this.#onFull = onFull;
  }

  /** Some of those that a gateway which was killed left behind, in their order. */
  restore(wills: readonly StoredWill[]): void {
    for (const will of wills) this.#keep(will);
    this.#left = [...this.#left, ...wills];
  }

  /** Those that were restored, once: they are to be published, and removed then. */
  takeLeft(): readonly StoredWill[] {
    const left = this.#left;
    this.#left = [];
    return left;
  }

  /** A client connects with a will: it is on disk soon. */
  put(testator: Testator, { topic, payload, qos = 0, retain = false }: Will): void {
    const { clientId, identity } = testator;
    // A copy: what goes to another thread takes the memory that it is a part of along.
    const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : new Uint8Array(payload);
    const will = { id: this.#nextId(), clientId, owner: identity ?? '', topic, qos, retain, payload: bytes };
    if (this.#kept.size >= this.#limits.maxCount || !this.#budget.hasRoom(will.owner, bytesOf(will))) {
      this.#onFull(clientId);
      return;
    }
    this.#keep(will);
    this.#connected.set(testator, will.id);
    this.#fresh.set(will.id, will);
    this.#timer ??= setTimeout(() => void this.flush(), LATER_MS).unref();
  }

  /** The connection broke, and its will is being published. What is on disk of it stays there until it is removed. */
  take(testator: Testator): Place | undefined {
    const id = this.#connected.get(testator);
    if (id === undefined) return undefined;
    this.#connected.delete(testator);
    if (!this.#fresh.delete(id)) return id;
    this.#forget(id);
    return undefined;
  }

  /** The connection is over. A will that nobody took is not published: its client said goodbye [MQTT-3.14.4-3]. */
  gone(testator: Testator): void {
    // It can only fail when the store is gone, and the process with it.
    this.withdraw(testator).catch(() => undefined);
  }

  /** Resolves when nothing of what it has to say is left on disk, or can come there. */
  async withdraw(testator: Testator): Promise<void> {
    const id = this.take(testator);
    if (id !== undefined) await this.remove(id);
  }

  /** Resolves when nothing of it is left on disk. */
  async remove(id: Place): Promise<void> {
    await this.#journal.save({ kind: 'will_gone', id });
    this.#forget(id);
  }

  /** Resolves when all so far are on disk. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const wills = [...this.#fresh.values()];
    this.#fresh.clear();
    // It can only fail when the store is gone, and the process with it.
    await Promise.all(wills.map((will) => this.#journal.save({ kind: 'will', will }))).catch(() => undefined);
  }

  /** The gateway stops in good order: that is nobody's death. */
  stop(): void {
    for (const testator of [...this.#connected.keys()]) this.gone(testator);
    clearTimeout(this.#timer);
  }

  #keep(will: StoredWill): void {
    const kept = { owner: will.owner, bytes: bytesOf(will) };
    this.#kept.set(will.id, kept);
    this.#budget.take(kept.owner, kept.bytes);
  }

  #forget(id: Place): void {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    this.#kept.delete(id);
    this.#budget.give(kept.owner, kept.bytes);
  }
}

/** Stored in the commit of what a will becomes: one that is on disk with its key beside it is published already. */
export function willKey(id: Place): Handshake {
  return { clientId: `${KEY}${id}`, packetId: 1 };
}

/** What the log has open, told apart: exchanges of clients, and wills that are published. */
export function withoutWillKeys(open: readonly Handshake[]): {
  readonly handshakes: readonly Handshake[];
  readonly publishedWills: ReadonlySet<Place>;
} {
  const isKey = ({ clientId }: Handshake): boolean => clientId.startsWith(KEY);
  const ids = open.filter(isKey).map(({ clientId }) => Number(clientId.slice(KEY.length)));
  return { handshakes: open.filter((handshake) => !isKey(handshake)), publishedWills: new Set(ids) };
}

function bytesOf({ topic, payload }: StoredWill): number {
  return 2 * topic.length + payload.byteLength + ROW_BYTES;
}
