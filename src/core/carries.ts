import type { LaneId } from './lane-log.ts';
import type { Stream } from './stream.ts';

interface Carrier {
  readonly name: string;
  readonly streams: readonly Stream[];
}

/** Whether one of the uplinks feeds the lane. */
export function carries(uplinks: readonly Carrier[], { uplink, stream }: LaneId): boolean {
  return uplinks.some(({ name, streams }) => name === uplink && streams.includes(stream));
}
