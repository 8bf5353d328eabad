import type { StoreOptions } from '../../../src/store/protocol.ts';

export const UPLINK = 'plant';

/** Small, so that a short record holds many checkpoints, and reclaim. */
export const POWER_STORE: Partial<StoreOptions> = { maxBytes: 6 * 2 ** 20 };
