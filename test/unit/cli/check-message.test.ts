import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/cli.ts';
import type { CommandResult } from '../../support/command-line.ts';

const CONFIG = `
mqtt:
  zone: Europe/Berlin
  includeRoutes: [ tasmota ]
  routes:
    - { topic: "frames/+device", stream: events, eventType: frame, format: raw }
    - { topic: "rows/+device", format: csv, columns: [ a ] }
`;

let directory: string;
let config: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-check-'));
  config = join(directory, 'sluice.yaml');
  writeFileSync(config, CONFIG);
});
afterAll(() => rmSync(directory, { recursive: true }));

async function check(...args: string[]): Promise<CommandResult> {
  const result = { out: '', err: '' };
  const code = await runCli(['check', '--config', config, ...args], {
    out: (text) => {
      result.out += text;
    },
    err: (text) => {
      result.err += text;
    },
    env: {},
  });
  return { code, ...result };
}

const message = (topic: string, payload: string, ...more: string[]) =>
  check('--topic', topic, '--payload', payload, ...more);

describe('sluice check of a message', () => {
  const sensor = '{"Time":"2026-07-01T12:00:00","AM2301":{"Temperature":21.5}}';

  it('says of a topic that no route takes where records come from: it may be a slip of the pen', async () => {
    expect(await message('device/kitchen/telemetry', '{"t":1}')).toEqual({
      code: 0,
      err: '',
      out: `device/kitchen/telemetry: no route takes it, it is handed to local subscribers only.
Records come from devices/{id}/telemetry, its like (docs/mqtt.md), and the topics of mqtt.routes.
`,
    });
  });

  it('shows the route that takes it and what becomes of it', async () => {
    expect(await message('tele/office/SENSOR', sensor)).toEqual({
      code: 0,
      err: '',
      out: `tele/office/SENSOR: taken by the route tele/+device/SENSOR.

  device  office
  stream  telemetry
  time    2026-07-01T10:00:00.000Z
  value   {"AM2301.Temperature":21.5}
`,
    });
  });

  it('shows the same to programs', async () => {
    const { code, out } = await message('tele/office/SENSOR', sensor, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      topic: 'tele/office/SENSOR',
      outcome: 'accepted',
      route: 'tele/+device/SENSOR',
      reason: null,
      hint: null,
      records: [
        {
          stream: 'telemetry',
          device: 'office',
          event_type: null,
          content_type: 'application/json',
          time: '2026-07-01T10:00:00.000Z',
          value: '{"AM2301.Temperature":21.5}',
          units: {},
        },
      ],
    });
  });

  it('says why it is refused and what helps', async () => {
    const { code, out } = await message('devices/d1/telemetry', '21.5');
    expect([code, out]).toEqual([
      1,
      `devices/d1/telemetry: taken by the default namespace, and refused: not_an_object.
What helps: a JSON object such as {"temperature":21.5} is needed; one value alone needs a metric to name it.
`,
    ]);
    expect(JSON.parse((await message('tele/x/SENSOR', '', '--json')).out)).toMatchObject({
      outcome: 'refused',
      route: 'tele/+device/SENSOR',
      reason: 'empty',
      hint: 'there is no value in it',
    });
  });

  it('says that no route takes it', async () => {
    expect(await message('house/lamp', 'on')).toMatchObject({
      code: 0,
      out: expect.stringContaining('no route takes it'),
    });
    expect(await message('a/+/b', 'on')).toMatchObject({
      code: 1,
      out: expect.stringContaining('nobody can publish there'),
    });
  });

  it('takes any bytes from a file, and shows them as base64', async () => {
    const file = join(directory, 'payload');
    writeFileSync(file, Buffer.from([0xff, 0x1b]));
    const { out } = await check('--topic', 'frames/uno', '--payload-file', file);
    expect(out).toContain('stream  events, type frame');
    expect(out).toContain('value   /xs=');
    expect(out).toContain('content application/octet-stream');
    expect(await check('--topic', 'x', '--payload-file', join(directory, 'none'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('cannot be read'),
    });
  });

  it('never writes what a message holds to a terminal as it is', async () => {
    expect((await message('devices/d1/events/x', '\u001b[31m')).out).toContain('\\u{1b}[31m');
  });

  it('shows the first of many records', async () => {
    const { out } = await message('rows/d', '1\n'.repeat(25));
    expect(out.match(/device {2}d/g)).toHaveLength(20);
    expect(out).toContain('and 5 records more');
  });

  it('is not about half a message', async () => {
    expect(await check('--payload', 'x')).toMatchObject({ code: 2, err: expect.stringContaining('needs a --topic') });
    expect(await message('x', 'y', '--payload-file', 'z')).toMatchObject({
      code: 2,
      err: expect.stringContaining('give one of them'),
    });
  });

  it('needs a good configuration', async () => {
    writeFileSync(config, 'mqtt: { routes: [ { topic: a } ] }');
    expect(await message('x', 'y')).toMatchObject({
      code: 78,
      err: expect.stringContaining('unknown placeholder {device}'),
    });
    writeFileSync(config, CONFIG);
  });
});
