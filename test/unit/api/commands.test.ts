import { beforeEach, describe, expect, it } from 'vitest';
import { COMMAND_LIMITS } from '../../../src/devices/commands/command-desk.ts';
import { fakeApi } from '../../support/fake-api.ts';
import { FakeSink } from '../../support/fake-sink.ts';
import { waitFor } from '../../support/wait-for.ts';

describe('commands over HTTP', () => {
  let api: ReturnType<typeof fakeApi>;
  let sink: FakeSink;

  beforeEach(() => {
    api = fakeApi();
    sink = new FakeSink();
    api.commands.addSink(sink);
    for (const id of ['pump', 'lamp']) api.views.devices.put(id);
  });

  const post = (path: string, body?: unknown, headers = {}) => {
    const type = { 'content-type': 'application/json' };
    const sent = body === undefined ? { headers } : { headers: { ...type, ...headers }, body: JSON.stringify(body) };
    return api.app.request(`/v1/devices/${path}`, { method: 'POST', ...sent });
  };
  const read = async (response: Response | Promise<Response>) =>
    (await (await response).json()) as Record<string, unknown>;
  const codeOf = async (asked: Response | Promise<Response>): Promise<unknown> => {
    const response = await asked;
    const { type, detail } = (await response.json()) as { type: string; detail: string };
    expect(detail).not.toBe('');
    return [response.status, type.split('/').at(-1)];
  };
  const sent = () => waitFor(() => sink.sent.length > 0, { what: 'the command', timeoutMs: 5_000 });

  it('gives a command, and says where it can be looked at', async () => {
    sink.reached.add('pump');
    const response = await post('pump/commands/open', { params: [1, { a: null }], timeout_ms: 60_000 });
    expect(response.status).toBe(202);
    const given = await read(response);
    const { request_id: id } = given;
    expect(response.headers.get('location')).toBe(`/v1/commands/${id}`);
    expect(given).toEqual({
      ...{ request_id: id, device: 'pump', name: 'open', params: [1, { a: null }], timeout_ms: 60_000 },
      ...{ state: 'queued', created_at: '2026-05-01T12:00:00.000Z', deadline: '2026-05-01T12:01:00.000Z' },
      ...{ sent_at: null, finished_at: null, status: null, result: null, error: null },
    });
    await sent();
    const look = () => read(api.app.request(`/v1/commands/${id}`));
    expect(await look()).toMatchObject({ state: 'sent', sent_at: '2026-05-01T12:00:00.000Z' });
    sink.answer({ status: 200, result: { open: true } });
    expect(await look()).toMatchObject({ state: 'done', status: 200, result: { open: true }, error: null });
  });

  it('takes a command without a body', async () => {
    expect(await read(post('pump/commands/open'))).toMatchObject({ params: null, timeout_ms: 5_000 });
  });

  it.each([
    [
      { status: 200, result: 7 },
      { state: 'done', status: 200, result: 7 },
    ],
    [
      { status: 404, error: 'no such valve' },
      { state: 'failed', status: 404, error: 'no such valve' },
    ],
  ])('waits for the answer %j', async (answer, expected) => {
    sink.reached.add('pump');
    const waiting = post('pump/commands/open?wait=5s');
    await sent();
    sink.answer(answer);
    const response = await waiting;
    expect(response.status).toBe(200);
    expect(await read(response)).toMatchObject(expected);
  });

  it('says after the wait that the command goes on, and by its deadline that it does not', async () => {
    sink.reached.add('pump');
    const pending = await post('pump/commands/open?wait=10ms', { timeout_ms: 60_000 });
    const { detail } = await read(pending.clone());
    const { requestId = '' } = sink.sent.at(-1) ?? {};
    expect(detail).toContain(`GET /v1/commands/${requestId}`);
    expect(await codeOf(pending)).toEqual([504, 'answer_pending']);
    expect(api.commands.get(requestId)?.state).toBe('sent');
    expect(await codeOf(post('pump/commands/open?wait=50s', { timeout_ms: 10 }))).toEqual([504, 'command_expired']);
    expect((await read(post('lamp/commands/on?wait=50s', { timeout_ms: 10 })))['detail']).toBe(
      'The device was not reached in time. The command was not sent, and never will be. Commands reach a device that subscribes to them over MQTT, or whose serial port has `commands`, or its Modbus unit registers that are `writable`.',
    );
  });

  it('cancels one, once, and tells who waits for it', async () => {
    const waiting = post('pump/commands/open?wait=5s');
    await waitFor(() => api.commands.list('pump', 9, 1).length > 0, { what: 'the command', timeoutMs: 5_000 });
    const [{ requestId = '' } = {}] = api.commands.list('pump', 9, 1);
    const remove = () => api.app.request(`/v1/commands/${requestId}`, { method: 'DELETE' });
    expect(await read(remove())).toMatchObject({ request_id: requestId, state: 'cancelled', sent_at: null });
    expect(await codeOf(waiting)).toEqual([409, 'command_cancelled']);
    expect(await codeOf(remove())).toEqual([409, 'command_finished']);
  });

  it('lists those of a device, newest first, in pages', async () => {
    for (const name of ['a', 'b', 'c']) await post(`pump/commands/${name}`);
    await post('lamp/commands/on');
    const names = async (query: string) => {
      const page = await read(api.app.request(`/v1/devices/pump/commands${query}`));
      const commands = page['commands'] as readonly { readonly name: string }[];
      return [commands.map(({ name }) => name), page['next_cursor']] as const;
    };
    const [first, cursor] = await names('?limit=2');
    expect(first).toEqual(['c', 'b']);
    expect(await names(`?limit=2&cursor=${cursor}`)).toEqual([['a'], null]);
    expect(await codeOf(api.app.request('/v1/devices/pump/commands?cursor=x'))).toEqual([400, 'bad_cursor']);
    expect(await codeOf(api.app.request('/v1/devices/nobody/commands'))).toEqual([404, 'device_not_found']);
  });

  it.each([
    ['nobody/commands/open', undefined, 404, 'device_not_found'],
    ['pump/commands/a%20b', undefined, 422, 'bad_command_name'],
    ['pump/commands/open', { timeout: 5 }, 400, 'bad_request'],
    ['pump/commands/open', { timeout_ms: 0 }, 400, 'bad_request'],
    ['pump/commands/open', { timeout_ms: 86_400_001 }, 400, 'bad_request'],
    ['pump/commands/open', { timeout_ms: '5s' }, 400, 'bad_request'],
    ['pump/commands/open', [], 400, 'bad_request'],
    ['pump/commands/open', 'open', 400, 'bad_request'],
    ['pump/commands/open?wait=5', undefined, 400, 'bad_request'],
    ['pump/commands/open?wait=51s', undefined, 400, 'bad_request'],
    ['pump/commands/open', { params: JSON.parse('['.repeat(99) + ']'.repeat(99)) }, 413, 'command_too_large'],
  ])('refuses %s with %j, and sends nothing', async (path, body, status, code) => {
    sink.reached.add('pump');
    expect(await codeOf(post(path, body))).toEqual([status, code]);
    expect(sink.offeredCount).toBe(0);
  });

  it('names the key that it does not know', async () => {
    const { detail } = await read(post('pump/commands/open', { param: 5 }));
    expect(detail).toMatch(/^The body holds "param", which the route does not know\./);
  });

  it('refuses a body that is no JSON, or does not say that it is', async () => {
    const send = (type: string, body: string) =>
      api.app.request('/v1/devices/pump/commands/open', { method: 'POST', headers: { 'content-type': type }, body });
    expect(await codeOf(send('application/json', '{'))).toEqual([400, 'bad_request']);
    expect(await codeOf(send('application/x-www-form-urlencoded', '{}'))).toEqual([415, 'unsupported_media_type']);
  });

  it('says when there are too many for a device, and when to try again', async () => {
    for (let i = 0; i < COMMAND_LIMITS.unfinishedPerDevice; i += 1) await post('pump/commands/open');
    const response = await post('pump/commands/open');
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await codeOf(response)).toEqual([429, 'too_many_commands']);
  });

  it.each(['GET', 'DELETE'])('answers to %s of an unknown command', async (method) => {
    expect(await codeOf(api.app.request('/v1/commands/nothing', { method }))).toEqual([404, 'command_not_found']);
  });
});
