import type { LaneId, Settlement } from '../core/lane-log.ts';
import type { LogStats } from '../core/log-stats.ts';
import type { Appended } from '../core/ports.ts';
import type { Seq } from '../core/record.ts';
import type { SessionChange } from '../core/session.ts';
import type { Stream } from '../core/stream.ts';
import { type Port, type Reply, serve } from '../platform/rpc.ts';
import { giveBackMemory } from '../platform/start-memory.ts';
import { noteLogClosing } from './damage/open-log.ts';
import { endThreadAsDamaged } from './damage/suspect.ts';
import { diskFaultOf, isDamage } from './file-errors.ts';
import { unpack } from './pack/unpack.ts';
import {
  APPEND_OUTCOMES,
  type AppendResult,
  type LaneOperations,
  type MainOperations,
  type StoreOptions,
} from './protocol.ts';
import type { State } from './state/state.ts';
import { Store } from './store.ts';
import type { StoreClock } from './store-clock.ts';

const RETRY_MS = 500;

interface Waiter {
  readonly stream: Stream;
  readonly after: number;
  readonly reply: Reply;
}

export interface StoreServerOptions {
  readonly main: Port;
  readonly lanes: Port;
  readonly clock: StoreClock;
  readonly onCommit: (durationMs: number) => void;
}

type MainHandlers = { [Op in keyof MainOperations]: (args: MainOperations[Op]['args'], reply: Reply) => void };
type LaneHandlers = { [Op in keyof LaneOperations]: (args: LaneOperations[Op]['args'], reply: Reply) => void };

/** The store worker's side of both channels. Nothing is answered before what it promises is on disk. */
export class StoreServer {
  readonly #options: StoreServerOptions;
  #store: Store | undefined;
  /** One per lane: one that gave up says nothing, and is replaced when its lane waits anew. */
  readonly #waiters = new Map<string, Waiter>();

  constructor(options: StoreServerOptions) {
    this.#options = options;
  }

  start(): void {
    const main = this.#mainHandlers();
    const lanes = this.#laneHandlers();
    serve(this.#options.main, (op, args, reply) => main[op as keyof MainHandlers](args, reply));
    serve(this.#options.lanes, (op, args, reply) => lanes[op as keyof LaneHandlers](args, reply));
  }

  #opened(): Store {
    if (this.#store === undefined) throw new Error('the store is not open');
    return this.#store;
  }

  #mainHandlers(): MainHandlers {
    return {
      open: (options, reply) => reply.ok(this.#open(options)),
      append: (pack, reply) => this.#append(pack, reply),
      stats: (_, reply) => reply.ok(this.#opened().stats() satisfies LogStats),
      read: ({ stream, after, limit }, reply) => reply.ok(this.#opened().reader.read(stream, after, limit)),
      loadDevices: (_, reply) => this.#ofState(reply, (state) => state.loadDevices()),
      putSecret: ({ id, secretHash }, reply) => this.#ofState(reply, (state) => state.putSecret(id, secretHash)),
      removeDevice: (id, reply) => this.#ofState(reply, (state) => state.removeDevice(id)),
      claimClientIds: (claims, reply) => this.#ofState(reply, (state) => state.claimClientIds(claims)),
      saveSeen: ({ rows, upTo }, reply) => this.#ofState(reply, (state) => state.saveSeen(rows, upTo)),
      seenUpTo: (_, reply) => this.#ofState(reply, (state) => state.seenUpTo()),
      setPaused: ({ uplink, paused }, reply) => this.#ofState(reply, (state) => state.setPaused(uplink, paused)),
      pausedUplinks: (_, reply) => this.#ofState(reply, (state) => state.pausedUplinks()),
      loadSessions: ({ after, maxCount }, reply) => reply.ok(this.#opened().state.sessions.page(after, maxCount)),
      saveSessions: (changes, reply) => this.#saveSessions(changes, reply),
      loadQueues: ({ after, maxCount }, reply) => reply.ok(this.#opened().log.queues.page(after, maxCount)),
      loadWills: ({ after, maxCount }, reply) => reply.ok(this.#opened().state.sessions.wills.page(after, maxCount)),
      loadRetained: ({ afterTopic, maxCount }, reply) =>
        reply.ok(this.#opened().state.sessions.retainedPage(afterTopic, maxCount)),
      lastPlace: (_, reply) => reply.ok(this.#opened().lastPlace()),
      retryReject: (id, reply) => this.#retryReject(id, reply),
      removeReject: (id, reply) => this.#answerLater(reply, () => this.#opened().log.removeReject(id)),
      removeRefused: (id, reply) => this.#answerLater(reply, () => this.#opened().log.removeRefused(id)),
      addReplay: (replay, reply) => this.#answerLater(reply, () => this.#opened().log.addReplay(replay)),
      replays: (_, reply) => reply.ok(this.#opened().log.ranges.replayStats()),
      removeReplay: (id, reply) => this.#answerLater(reply, () => this.#opened().log.ranges.removeReplay(id)),
      salvaged: (_, reply) => this.#opened().whenSalvaged((salvaged) => reply.ok(salvaged)),
      forgetLostPositions: (_, reply) =>
        this.#answerLater(reply, () => this.#opened().log.recovery.forgetLostPositions() ?? null),
      noteSync: (boot, reply) => this.#answerLater(reply, () => this.#opened().log.noteSync(boot) ?? null),
      hurry: (_, reply) => reply.ok(this.#opened().commits.hurry() ?? null),
      giveBackMemory: (_, reply) => reply.ok(giveBackMemory() ?? null),
      beginClosing: (_, reply) => this.#ofState(reply, (state) => noteLogClosing(state, this.#opened().log)),
      close: (_, reply) => reply.ok(this.#close()),
    };
  }

  #laneHandlers(): LaneHandlers {
    return {
      open: ({ lane, from }, reply) => this.#answerLater(reply, () => this.#opened().log.recovery.openLane(lane, from)),
      wait: ({ lane, after }, reply) => this.#wait(lane, after, reply),
      claim: (claim, reply) => this.#claim(claim, reply),
      release: (lane, reply) => {
        const { log, commits } = this.#opened();
        reply.ok(log.lanes.release(lane));
        commits.tick();
      },
      settle: (settlement: Settlement, reply) =>
        this.#change(reply, () => {
          this.#opened().log.settle(settlement);
          return () => null;
        }),
      skipAhead: (lane, reply) => this.#answerLater(reply, () => this.#opened().log.skipAhead(lane)),
      ranges: (uplink, reply) => reply.ok(this.#opened().log.ranges.toSend(uplink)),
      sentBytes: ({ uplink, day }, reply) => reply.ok(this.#opened().log.totals.sentBytes(uplink, day)),
    };
  }

  #open(options: StoreOptions): Store['opened'] {
    this.#store = Store.open(options, this.#options.clock, (durationMs) => {
      this.#options.onCommit(durationMs);
      this.#wake();
    });
    return this.#store.opened;
  }

  #append({ buffer, byteLength, count }: MainOperations['append']['args'], reply: Reply): void {
    const entries = unpack(buffer, byteLength);
    const result: AppendResult = new Float64Array(2 * count + 2);
    const { log, commits } = this.#opened();
    commits.submit({
      grows: true,
      apply: () => {
        for (const [i, entry] of entries.entries()) result.set(numbersOf(log.append(entry)), 2 * i);
      },
      done: () => {
        const { bytes, capacityBytes } = commits.room;
        result.set([bytes, capacityBytes], 2 * count);
        reply.ok(result, [result.buffer]);
      },
      failed: (error) => reply.fail(error),
    });
  }

  /** Work that shrinks or keeps the log; `apply` returns what yields the answer once it is on disk. */
  #change(reply: Reply, apply: () => () => unknown, claims?: Stream): void {
    let answer: () => unknown = () => null;
    this.#opened().commits.submit({
      grows: false,
      ...(claims !== undefined && { claims }),
      apply: () => {
        answer = apply();
      },
      done: () => reply.ok(answer()),
      failed: (error) => reply.fail(error),
    });
  }

  /** One small write or read of `state.db`; whoever asked is told when the disk does not take it. */
  #ofState(reply: Reply, work: (state: State) => unknown): void {
    const { state, outage } = this.#opened();
    try {
      reply.ok(work(state));
    } catch (error) {
      reply.fail(outage.refusal(error));
    }
  }

  /** Waits while the disk takes no writes or the file is busy, and with it all that is acknowledged behind it. */
  #saveSessions(changes: readonly SessionChange[], reply: Reply): void {
    const { state, outage } = this.#opened();
    try {
      reply.ok(state.sessions.save(changes) ?? null);
    } catch (error) {
      const fault = diskFaultOf(error);
      if (fault === undefined) {
        endThread(error);
        return;
      }
      if (fault.kind !== 'busy') outage.begin(error);
      setTimeout(() => {
        if (this.#store !== undefined) this.#saveSessions(changes, reply);
      }, RETRY_MS).unref();
    }
  }

  /** Grows the log: it waits, as appends do, while nothing can be stored. */
  #retryReject(id: number, reply: Reply): void {
    const { log, commits } = this.#opened();
    let seq: Seq | undefined;
    commits.submit({
      grows: true,
      apply: () => {
        seq = log.retryReject(id);
      },
      done: () => reply.ok(seq),
      failed: (error) => reply.fail(error),
    });
  }

  /** What `work` returns is the answer, once it is on disk. */
  #answerLater(reply: Reply, work: () => unknown): void {
    this.#change(reply, () => {
      const answer = work();
      return () => answer;
    });
  }

  #claim({ lane, upTo }: LaneOperations['claim']['args'], reply: Reply): void {
    const { log, commits, opened } = this.#opened();
    const claim = () => {
      try {
        return log.lanes.claim(lane, upTo);
      } catch (error) {
        if (isDamage(error)) endThreadAsDamaged(opened.logFile)(error);
        throw error;
      }
    };
    if (commits.isAwaited(lane.stream)) this.#change(reply, () => claim, lane.stream);
    else reply.ok(claim());
  }

  #wait({ uplink, stream }: LaneId, after: number, reply: Reply): void {
    const lane = `${uplink}/${stream}`;
    this.#waiters.get(lane)?.reply.ok(null);
    this.#waiters.set(lane, { stream, after, reply });
    this.#wake();
  }

  #wake(): void {
    const { log } = this.#opened();
    for (const [lane, { stream, after, reply }] of this.#waiters) {
      if (log.lastSeq(stream) <= after) continue;
      this.#waiters.delete(lane);
      reply.ok(null);
    }
  }

  #close(): null {
    this.#store?.close();
    this.#store = undefined;
    return null;
  }
}

/** For what must not be survived by guessing: thrown from a handler it would only be an answer. */
function endThread(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

/** The two numbers per entry that cross the thread border; see AppendResult. */
function numbersOf({ firstSeq, duplicate, keyReused = false }: Appended): [number, number] {
  return [firstSeq, APPEND_OUTCOMES.indexOf(keyReused ? 'reused' : duplicate ? 'duplicate' : 'stored')];
}
