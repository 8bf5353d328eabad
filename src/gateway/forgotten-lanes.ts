import { carries } from '../core/carries.ts';
import type { LaneId } from '../core/ports.ts';
import type { Stream } from '../core/stream.ts';

interface ConfiguredUplink {
  readonly name: string;
  readonly streams: readonly Stream[];
}

/** Lanes that the log still has and nobody feeds: of an uplink, or a stream of one, that left the configuration. */
export function forgottenLanes(lanes: readonly LaneId[], uplinks: readonly ConfiguredUplink[]): readonly LaneId[] {
  return lanes.filter((lane) => !carries(uplinks, lane)).map(({ uplink, stream }) => ({ uplink, stream }));
}
