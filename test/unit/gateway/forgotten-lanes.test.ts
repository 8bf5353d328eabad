import { expect, it } from 'vitest';
import type { LaneId } from '../../../src/core/lane-log.ts';
import { forgottenLanes } from '../../../src/gateway/forgotten-lanes.ts';

it('a lane is forgotten when its uplink, or its stream of the uplink, is not configured any more', () => {
  const lanes: LaneId[] = [
    { uplink: 'plant', stream: 'telemetry' },
    { uplink: 'plant', stream: 'events' },
    { uplink: 'stick', stream: 'events' },
  ];
  expect(forgottenLanes(lanes, [{ name: 'plant', streams: ['telemetry', 'gaps'] }])).toEqual([lanes[1], lanes[2]]);
  expect(forgottenLanes(lanes, [])).toEqual(lanes);
});
