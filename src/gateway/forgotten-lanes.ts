import { carries } from '../core/carries.ts';
import type { LaneId } from '../core/lane-log.ts';
import type { LogStats } from '../core/log-stats.ts';
import type { Stream } from '../core/stream.ts';
import type { Logger } from '../platform/logger.ts';

interface ConfiguredUplink {
  readonly name: string;
  readonly streams: readonly Stream[];
}

/** Lanes that the log still has and nobody feeds: of an uplink, or a stream of one, that left the configuration. */
export function forgottenLanes(lanes: readonly LaneId[], uplinks: readonly ConfiguredUplink[]): readonly LaneId[] {
  return lanes.filter((lane) => !carries(uplinks, lane)).map(({ uplink, stream }) => ({ uplink, stream }));
}

/** Lanes stay when they leave the configuration: they may come back, and nothing is lost silently. */
export function warnOfForgotten({ lanes }: LogStats, uplinks: readonly ConfiguredUplink[], logger: Logger): void {
  for (const [uplink, forgotten] of Map.groupBy(forgottenLanes(lanes, uplinks), (lane) => lane.uplink)) {
    const streams = forgotten.map(({ stream }) => stream);
    logger.warn(
      { uplink, streams },
      'an uplink does not carry streams any more that it carried; their records wait until a limit',
    );
  }
}
