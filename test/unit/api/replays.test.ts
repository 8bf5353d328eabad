import { beforeEach, describe, expect, it } from 'vitest';
import { SluiceError } from '../../../src/core/errors.ts';
import type { LaneId } from '../../../src/core/lane-log.ts';
import { fakeApi } from '../../support/fake-api.ts';
import { newRecord } from '../../support/records.ts';

const LANE: LaneId = { uplink: 'plant', stream: 'telemetry' };

describe('/v1/replays', () => {
  let api: ReturnType<typeof fakeApi>;

  beforeEach(async () => {
    api = fakeApi();
    const { log } = api;
    const from = await log.open(LANE, 'oldest');
    const seqs = log.append(['a', 'b', 'a'].map((device) => newRecord({ device })));
    await log.settle({ lane: LANE, from, upTo: seqs.at(-1) ?? 0, deliveredCount: 3, rejected: [] });
  });

  const post = (body: unknown) =>
    api.app.request('/v1/replays', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  const codeOf = async (response: Response): Promise<unknown> => {
    const { type, detail } = (await response.json()) as { type: string; detail: string };
    expect(detail).not.toBe('');
    return [response.status, type.split('/').at(-1)];
  };

  it('begins one, and says where it is', async () => {
    const asked = {
      uplink: 'plant',
      stream: 'telemetry',
      device: 'a',
      first_seq: 2,
      from: '2026-05-01T10:00:00+02:00',
    };
    const response = await post(asked);
    expect(response.status).toBe(201);
    const replay = (await response.json()) as Record<string, unknown>;
    expect(replay).toMatchObject({
      ...{ uplink: 'plant', stream: 'telemetry', device: 'a', first_seq: 2, last_seq: 3 },
      ...{ from: '2026-05-01T08:00:00.000Z', to: null, state: 'active', cursor: 1 },
      ...{ delivered: 0, rejected: 0, removed: 0 },
    });
    const place = response.headers.get('location') ?? '';
    expect(await (await api.app.request(place)).json()).toEqual(replay);
    expect(await (await api.app.request('/v1/replays')).json()).toEqual({ replays: [replay] });
    expect(await api.log.ranges('plant')).toMatchObject([{ upTo: 3, filter: { device: 'a' } }]);
  });

  it('lists the newest first, and says which are done', async () => {
    for (const first of [1, 9]) await post({ uplink: 'plant', stream: 'telemetry', first_seq: first });
    const { replays } = (await (await api.app.request('/v1/replays')).json()) as { replays: { state: string }[] };
    expect(replays.map(({ state }) => state)).toEqual(['done', 'active']);
  });

  it('cancels one', async () => {
    const place = (await post({ uplink: 'plant', stream: 'telemetry' })).headers.get('location') ?? '';
    expect((await api.app.request(place, { method: 'DELETE' })).status).toBe(204);
    expect(await api.log.ranges('plant')).toEqual([]);
    for (const method of ['GET', 'DELETE']) {
      expect(await codeOf(await api.app.request(place, { method }))).toEqual([404, 'replay_not_found']);
    }
  });

  it.each([
    [{ uplink: 'nobody', stream: 'telemetry' }, 409, 'uplink_not_configured'],
    [{ uplink: 'plant', stream: 'state' }, 409, 'uplink_not_configured'],
    [{ uplink: 'plant', stream: 'telemetry', first_seq: 5, last_seq: 4 }, 400, 'bad_range'],
    [
      { uplink: 'plant', stream: 'telemetry', from: '2026-05-01T10:00:00Z', to: '2026-05-01T10:00:00Z' },
      400,
      'bad_range',
    ],
    [{ uplink: 'plant', stream: 'telemetry', from: 'yesterday' }, 400, 'bad_request'],
    [{ uplink: 'plant', stream: 'everything' }, 400, 'bad_request'],
    [{ stream: 'telemetry' }, 400, 'bad_request'],
    [{ uplink: 'plant', stream: 'telemetry', device: 'a b' }, 400, 'bad_request'],
    ['text', 400, 'bad_request'],
  ])('refuses %j', async (body, status, code) => {
    expect(await codeOf(await post(body))).toEqual([status, code]);
    expect(await api.log.replays()).toEqual([]);
  });

  it('says when there are too many, and when nothing can be stored', async () => {
    api.log.addReplay = () => Promise.reject(new SluiceError('too many', { code: 'too_many_replays', hint: 'wait' }));
    const asked = { uplink: 'plant', stream: 'telemetry' };
    expect(await codeOf(await post(asked))).toEqual([409, 'too_many_replays']);
    api.views.currentStats = { ...api.views.currentStats, full: 'the disk is full' };
    expect(await codeOf(await post(asked))).toEqual([503, 'buffer_full']);
  });
});
