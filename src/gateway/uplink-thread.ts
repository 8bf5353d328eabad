import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { SluiceError } from '../core/errors.ts';
import type { LinkStatus, Stage, StateStore } from '../core/ports.ts';
import type { UplinkControl, UplinkView } from '../core/views.ts';
import { RpcClient } from '../platform/rpc.ts';
import { type SpawnedWorker, spawnWorker } from './spawn-worker.ts';
import type { UplinkOperations, UplinkStart, UplinkWorkerData } from './uplink-worker.ts';

export interface UplinkThreadOptions {
  /** To the store worker. */
  readonly lanes: MessagePort;
  readonly state: StateStore;
  readonly start: Omit<UplinkStart, 'paused'>;
  readonly stopDeadlineMs: number;
  readonly onDeath: (error: SluiceError) => void;
}

/** Resolves to an open gate; forwarding begins then. */
const CONNECTING: LinkStatus = {
  state: 'connecting',
  reason: null,
  code: null,
  since: Date.now(),
  retryAt: null,
  lastDeliveredAt: null,
  rate: 0,
};

/** The uplink worker as the main thread sees it. */
export class UplinkThread implements Stage, UplinkControl {
  readonly #options: UplinkThreadOptions;
  readonly #links = new Map<string, LinkStatus>();
  #spawned: SpawnedWorker | undefined;
  #rpc: RpcClient<UplinkOperations> | undefined;

  constructor(options: UplinkThreadOptions) {
    this.#options = options;
  }

  /** Starts no thread when there is nothing to forward to. */
  async start(): Promise<void> {
    if (this.#options.start.uplinks.length === 0) return;
    const { lanes, state, start, onDeath } = this.#options;
    const statuses = new MessageChannel();
    statuses.port1.on('message', ({ name, status }: { name: string; status: LinkStatus }) =>
      this.#links.set(name, status),
    );
    statuses.port1.unref();
    const data: UplinkWorkerData = { lanes, statuses: statuses.port2 };
    this.#spawned = spawnWorker({ entry: 'uplink-worker', data, transfer: [lanes, statuses.port2], onDeath });
    this.#rpc = new RpcClient(this.#spawned.worker);
    await this.#rpc.call('start', { ...start, paused: await state.pausedUplinks() });
  }

  /** Forwarding may begin: the clock is synchronised, or will not be waited for any longer. */
  async openGate(): Promise<void> {
    await this.#rpc?.call('openGate', null);
  }

  async stop(): Promise<void> {
    await this.#rpc?.call('stop', { deadlineMs: this.#options.stopDeadlineMs }).catch(() => undefined);
    await this.#spawned?.end();
  }

  fail(error: SluiceError): void {
    this.#rpc?.fail(error);
  }

  list(): readonly UplinkView[] {
    return this.#options.start.uplinks.map(({ name, type }) => ({
      name,
      type,
      link: this.#links.get(name) ?? CONNECTING,
    }));
  }

  pause(name: string): Promise<boolean> {
    return this.#setPaused(name, true);
  }

  resume(name: string): Promise<boolean> {
    return this.#setPaused(name, false);
  }

  async #setPaused(uplink: string, paused: boolean): Promise<boolean> {
    if (!this.#options.start.uplinks.some(({ name }) => name === uplink)) return false;
    await this.#options.state.setPaused(uplink, paused);
    await this.#rpc?.call(paused ? 'pause' : 'resume', uplink);
    return true;
  }
}
