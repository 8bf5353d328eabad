import { Buffer } from 'node:buffer';
import { beforeEach, describe, expect, it } from 'vitest';
import { SluiceError } from '../../../src/core/errors.ts';
import type { StoredRecord } from '../../../src/core/record.ts';
import { fakeApi } from '../../support/fake-api.ts';
import { logStats } from '../../support/fake-views.ts';
import { newRecord } from '../../support/records.ts';

let api: ReturnType<typeof fakeApi>;

beforeEach(() => {
  api = fakeApi();
});

function put(changes: Partial<StoredRecord> = {}): void {
  const seq = api.browser.recordsHeld.length + 1;
  const record = newRecord({ receivedAt: Date.UTC(2026, 4, 1, 12), ...changes });
  api.browser.recordsHeld.push({ seq, ...record });
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: { readonly [name: string]: unknown };
}

async function ask(path: string, method = 'GET'): Promise<Answer> {
  const response = await api.app.request(path, { method });
  const text = await response.text();
  return { status: response.status, text, body: text === '' ? {} : JSON.parse(text) };
}

async function seqs(query: string): Promise<unknown> {
  const { body } = await ask(`/v1/records?${query}`);
  return (body['records'] as { seq: number }[]).map(({ seq }) => seq);
}

describe('GET /v1/records', () => {
  it('shows what is known of a record', async () => {
    put({ observedAt: Date.UTC(2026, 4, 1) });
    expect((await ask('/v1/records')).body).toEqual({
      records: [
        {
          seq: 1,
          stream: 'telemetry',
          device: 'device-1',
          event_type: null,
          received_at: '2026-05-01T12:00:00.000Z',
          observed_at: '2026-05-01T00:00:00.000Z',
          time_quality: 'synced',
          channel: 'devices/device-1/telemetry',
          content_type: 'application/json',
          size: 20,
          value: { temperature: 21.5 },
        },
      ],
      damaged: [],
      next_cursor: null,
    });
  });

  it('shows a JSON value byte for byte, also one that is nested deeply', async () => {
    put({ value: Buffer.from('{"exact": 12345678901234567890, "t": 1.0}') });
    put({ value: Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) });
    expect((await ask('/v1/records/1')).text).toContain('"value":{"exact": 12345678901234567890, "t": 1.0}}');
    const response = await api.app.request('/v1/records/2');
    expect([response.status, (await response.text()).includes('"value":[[[[')]).toEqual([200, true]);
  });

  it('shows text as text, and bytes as base64', async () => {
    put({ contentType: 'text/plain', value: Buffer.from('"opened"\n') });
    put({ contentType: 'application/octet-stream', value: Buffer.from([0xff, 0]) });
    put({ contentType: 'application/json', value: Buffer.from('no JSON after all') });
    const { body } = await ask('/v1/records?order=oldest');
    expect(body['records']).toMatchObject([{ text: '"opened"\n' }, { base64: '/wA=' }, { text: 'no JSON after all' }]);
  });

  it('filters, in either order', async () => {
    put({ device: 'a' });
    put({ device: 'b', stream: 'events', eventType: 'door' });
    put({ device: 'a', stream: 'events', eventType: 'door' });
    expect(await seqs('')).toEqual([3, 2, 1]);
    expect(await seqs('order=oldest')).toEqual([1, 2, 3]);
    expect(await seqs('device=a')).toEqual([3, 1]);
    expect(await seqs('stream=events&device=a')).toEqual([3]);
    expect(await seqs('after=1&before=3')).toEqual([2]);
  });

  it.each(['newest', 'oldest'])('pages, %s first, within what was asked for', async (order) => {
    for (let count = 0; count < 7; count += 1) put();
    const seen: number[] = [];
    let cursor: unknown = null;
    do {
      const from = cursor === null ? '' : `&cursor=${cursor}`;
      const { body } = await ask(`/v1/records?order=${order}&limit=2&after=1&before=7${from}`);
      seen.push(...(body['records'] as { seq: number }[]).map(({ seq }) => seq));
      cursor = body['next_cursor'];
    } while (cursor !== null);
    expect(seen).toEqual(order === 'newest' ? [6, 5, 4, 3, 2] : [2, 3, 4, 5, 6]);
  });

  it.each([
    ['limit=0', 'bad_limit'],
    ['cursor=x', 'bad_cursor'],
    ['order=oldest&cursor=bmV3ZXN0OjU', 'bad_cursor'],
    ['stream=metrics', 'bad_request'],
    ['device=a%2Fb', 'bad_request'],
    ['after=-1', 'bad_request'],
    ['before=1.5', 'bad_request'],
    ['order=random', 'bad_request'],
  ])('refuses %s', async (query, code) => {
    const { status, body } = await ask(`/v1/records?${query}`);
    expect([status, body['type']]).toEqual([400, `/problems/${code}`]);
  });

  it.each([
    ['after=x', '"after" is not a whole number. Use digits alone.'],
    ['before=1.5', '"before" is not a whole number. Use digits alone.'],
    ['after=-1', '"after" is too small. Use 0 or more.'],
    ['after=9007199254740993', '"after" is too large. Use 9007199254740991 or less.'],
    ['order=random', '"order" is none of the words it may be. Use one of newest, oldest.'],
    ['device=a%2Fb', '"device" does not have the form it must have. Use 1 to 128 characters of A-Z a-z 0-9 . _ -.'],
  ])('says of %s what to do', async (query, detail) => {
    expect((await ask(`/v1/records?${query}`)).body['detail']).toBe(detail);
  });
});

describe('GET /v1/records/{seq}', () => {
  it('shows one, or says that there is none', async () => {
    put();
    expect((await ask('/v1/records/1')).body).toMatchObject({ seq: 1, device: 'device-1' });
    expect(await ask('/v1/records/2')).toMatchObject({ status: 404, body: { type: '/problems/record_not_found' } });
    expect(await ask('/v1/records/x')).toMatchObject({ status: 400, body: { type: '/problems/bad_request' } });
    expect((await ask('/v1/records/x')).body['detail']).toBe('"seq" is not a whole number. Use digits alone.');
  });

  it('says when it is damaged, and when the disk is too slow', async () => {
    const codes = { record_damaged: 410, too_busy: 503, read_timeout: 503 };
    for (const [code, status] of Object.entries(codes)) {
      api.browser.record = async () => {
        throw new SluiceError('it is not to be had', { code });
      };
      expect(await ask('/v1/records/1')).toMatchObject({ status, body: { type: `/problems/${code}` } });
    }
  });
});

describe('refused messages', () => {
  beforeEach(() => {
    const about = { source: 'mqtt', at: Date.UTC(2026, 4, 1), reason: 'invalid_json', channel: 'c' } as const;
    const umlaut = Buffer.from('ü');
    api.browser.refusedHeld = [
      { ...about, id: 1, size: 5, payload: Buffer.from('{"t":') },
      { ...about, id: 2, size: 2, payload: Buffer.from([0xff, 0xfe]) },
      { ...about, id: 3, size: 9_000, payload: Buffer.concat([Buffer.alloc(4_095, 'x'), umlaut.subarray(0, 1)]) },
    ];
  });

  it('are shown as text when they are UTF-8, cut or not, else as base64', async () => {
    const { body } = await ask('/v1/refused');
    expect(body['refused']).toMatchObject([
      { id: 3, encoding: 'utf8', payload: 'x'.repeat(4_095), size: 9_000 },
      { id: 2, encoding: 'base64', payload: '//4=' },
      { id: 1, encoding: 'utf8', payload: '{"t":', source: 'mqtt', at: '2026-05-01T00:00:00.000Z' },
    ]);
  });

  it('are paged', async () => {
    const first = await ask('/v1/refused?limit=2');
    const second = await ask(`/v1/refused?limit=2&cursor=${first.body['next_cursor']}`);
    expect(second.body).toMatchObject({ refused: [{ id: 1 }], next_cursor: null });
    expect((await ask(`/v1/rejects?cursor=${first.body['next_cursor']}`)).body['type']).toBe('/problems/bad_cursor');
  });

  it('are removed once', async () => {
    expect((await ask('/v1/refused/2', 'DELETE')).status).toBe(204);
    const again = await ask('/v1/refused/2', 'DELETE');
    expect([again.status, again.body['type']]).toEqual([404, '/problems/refused_not_found']);
    expect((await ask('/v1/refused/x', 'DELETE')).status).toBe(400);
  });
});

describe('rejects', () => {
  beforeEach(() => {
    const about = { uplink: 'plant', at: Date.UTC(2026, 4, 1), reason: 'message_too_large', detail: 'why' };
    const lost = { ...about, id: 1, seq: 4, stream: 'telemetry', record: null } as const;
    const record = { ...newRecord(), seq: 5 };
    api.browser.rejectsHeld = [lost, { ...about, id: 2, seq: 5, stream: 'telemetry', record }];
  });

  it('are shown with their record, unless that is damaged', async () => {
    const { body } = await ask('/v1/rejects');
    const about = { uplink: 'plant', reason: 'message_too_large', detail: 'why', at: '2026-05-01T00:00:00.000Z' };
    expect(body).toMatchObject({
      rejects: [
        { ...about, id: 2, seq: 5, record: { seq: 5, value: { temperature: 21.5 } } },
        { ...about, id: 1, seq: 4, record: null },
      ],
      next_cursor: null,
    });
  });

  it('are tried again as a new record, once', async () => {
    const { status, body } = await ask('/v1/rejects/2/retry', 'POST');
    expect([status, body]).toEqual([202, { seq: 1, retry_of: { uplink: 'plant', seq: 5 } }]);
    expect((await ask('/v1/records/1')).body['retry_of']).toEqual({ uplink: 'plant', seq: 5 });
    expect((await ask('/v1/rejects/2/retry', 'POST')).body['type']).toBe('/problems/reject_not_found');
  });

  it('are not tried again for an uplink that does not carry their stream any more', async () => {
    api.views.uplinks.views = api.views.uplinks.views.map((view) => ({ ...view, streams: ['events'] }));
    expect((await ask('/v1/rejects/2/retry', 'POST')).body['type']).toBe('/problems/uplink_not_configured');
    expect(api.browser.rejectsHeld).toHaveLength(2);
  });

  it('are not tried again for an uplink that is gone, nor while nothing can be stored', async () => {
    api.browser.rejectsHeld = api.browser.rejectsHeld.map((reject) => ({ ...reject, uplink: 'gone' }));
    expect((await ask('/v1/rejects/2/retry', 'POST')).body['type']).toBe('/problems/uplink_not_configured');
    api.views.currentStats = logStats({ full: 'the disk is full' });
    expect((await ask('/v1/rejects/2/retry', 'POST')).body['type']).toBe('/problems/buffer_full');
    expect(api.browser.rejectsHeld).toHaveLength(2);
  });

  it('are removed once', async () => {
    expect((await ask('/v1/rejects/2', 'DELETE')).status).toBe(204);
    const again = await ask('/v1/rejects/2', 'DELETE');
    expect([again.status, again.body['type']]).toEqual([404, '/problems/reject_not_found']);
  });
});
