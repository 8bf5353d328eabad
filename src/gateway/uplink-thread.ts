import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { SluiceError } from '../core/errors.ts';
import type { StateStore } from '../core/state-store.ts';
import type { LinkStatus } from '../core/upstream.ts';
import type { UplinkControl, UplinkView } from '../core/views.ts';
import { RpcClient } from '../platform/rpc.ts';
import type { UplinkOptions } from '../uplink/options.ts';
import { type SpawnedWorker, spawnWorker, type Watch } from './spawn-worker.ts';
import type { UplinkOperations, UplinkStart, UplinkWorkerData } from './uplink-worker.ts';

export interface UplinkThreadOptions {
  readonly uplinks: readonly UplinkOptions[];
  readonly watch: Watch;
  /** Why the thread does not answer; null when it does. */
  readonly whyStuck: () => string | null;
  readonly onDeath: (error: SluiceError) => void;
}

const NOT_STARTED: Omit<LinkStatus, 'since'> = {
  state: 'connecting',
  reason: null,
  code: null,
  retryAt: null,
  lastDeliveredAt: null,
  rate: 0,
  byteRate: 0,
};

/** The uplink worker as the main thread sees it. Without uplinks there is no thread. */
export class UplinkThread implements UplinkControl {
  readonly #options: UplinkThreadOptions;
  readonly #links = new Map<string, LinkStatus>();
  #spawned: SpawnedWorker | undefined;
  #rpc: RpcClient<UplinkOperations> | undefined;
  #state: StateStore | undefined;
  #startedAt = 0;

  constructor(options: UplinkThreadOptions) {
    this.#options = options;
  }

  /** Lets the thread boot; it does nothing before `start`. `lanes` leads to the store worker. */
  spawn(lanes: MessagePort): void {
    const { uplinks, watch, onDeath } = this.#options;
    if (uplinks.length === 0) return;
    const statuses = new MessageChannel();
    statuses.port1.on('message', ({ name, status }: { name: string; status: LinkStatus }) =>
      this.#links.set(name, status),
    );
    statuses.port1.unref();
    const data: Omit<UplinkWorkerData, 'watch'> = { lanes, statuses: statuses.port2 };
    const transfer = [lanes, statuses.port2];
    this.#spawned = spawnWorker({ entry: 'uplink-worker', data, transfer, watch, onDeath });
    this.#rpc = new RpcClient(this.#spawned.worker);
  }

  /** Resolves when every lane stands in the log. Nothing is forwarded before `openGate`. */
  async start(state: StateStore, start: Omit<UplinkStart, 'uplinks' | 'paused'>): Promise<void> {
    this.#state = state;
    this.#startedAt = Date.now();
    const { uplinks } = this.#options;
    await this.#rpc?.call('start', { ...start, uplinks, paused: await state.pausedUplinks() });
  }

  /** Forwarding may begin: the clock is synchronised, or will not be waited for any longer. */
  async openGate(): Promise<void> {
    // Should the thread die of it, onDeath tells.
    await this.#rpc?.call('openGate', null).catch(() => undefined);
  }

  /** There may be something to send again that was not there before. */
  lookForReplays(): void {
    // Should the thread die of it, onDeath tells.
    void this.#rpc?.call('lookForReplays', null).catch(() => undefined);
  }

  async stop(options: { readonly deadlineMs: number }): Promise<void> {
    await this.#rpc?.call('stop', options).catch(() => undefined);
    await this.#spawned?.end();
  }

  /** The worker is gone: what is asked of it fails. */
  fail(error: SluiceError): void {
    this.#rpc?.fail(error);
  }

  list(): readonly UplinkView[] {
    return this.#options.uplinks.map(
      ({ name, type, streams, maxBytesPerSecond, maxBytesPerDay, eventsOverBudget }) => ({
        name,
        type,
        streams,
        maxBytesPerSecond: maxBytesPerSecond || null,
        maxBytesPerDay: maxBytesPerDay || null,
        eventsOverBudget,
        link: this.#linkOf(name),
      }),
    );
  }

  pause(name: string): Promise<boolean> {
    return this.#setPaused(name, true);
  }

  resume(name: string): Promise<boolean> {
    return this.#setPaused(name, false);
  }

  /** What a thread that is stuck said last is not so any more. */
  #linkOf(name: string): LinkStatus {
    const said = this.#links.get(name) ?? { ...NOT_STARTED, since: this.#startedAt };
    const reason = this.#options.whyStuck();
    return reason === null
      ? said
      : { ...said, state: 'down', reason, code: 'stuck', retryAt: null, rate: 0, byteRate: 0 };
  }

  async #setPaused(uplink: string, paused: boolean): Promise<boolean> {
    if (!this.#options.uplinks.some(({ name }) => name === uplink)) return false;
    await this.#state?.setPaused(uplink, paused);
    await this.#rpc?.call(paused ? 'pause' : 'resume', uplink);
    return true;
  }
}
