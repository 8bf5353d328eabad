import type { SluiceError } from '../core/errors.ts';
import type { LaneId, LaneLog, LaneRange, Settlement } from '../core/lane-log.ts';
import type { Seq } from '../core/record.ts';
import { type Port, RpcClient } from '../platform/rpc.ts';
import type { LaneOperations } from './protocol.ts';

/** The store's lanes as the uplink worker sees them. */
export class LaneClient implements LaneLog {
  readonly #rpc: RpcClient<LaneOperations>;

  constructor(port: Port) {
    this.#rpc = new RpcClient(port);
  }

  open(lane: LaneId, from: 'oldest' | 'now'): Promise<Seq> {
    return this.#rpc.call('open', { lane, from });
  }

  async wait(lane: LaneId, after: Seq, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    const onAbort = () => resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([this.#rpc.call('wait', { lane, after }), aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  claim(lane: LaneId, upTo: Seq): Promise<Seq> {
    return this.#rpc.call('claim', { lane, upTo });
  }

  async release(lane: LaneId): Promise<void> {
    await this.#rpc.call('release', lane);
  }

  async settle(settlement: Settlement): Promise<void> {
    await this.#rpc.call('settle', settlement);
  }

  skipAhead(lane: LaneId): Promise<Seq> {
    return this.#rpc.call('skipAhead', lane);
  }

  ranges(uplink: string): Promise<readonly LaneRange[]> {
    return this.#rpc.call('ranges', uplink);
  }

  sentBytes(uplink: string, day: number): Promise<number> {
    return this.#rpc.call('sentBytes', { uplink, day });
  }

  fail(error: SluiceError): void {
    this.#rpc.fail(error);
  }
}
