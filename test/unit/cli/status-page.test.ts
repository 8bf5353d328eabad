import { describe, expect, it } from 'vitest';
import type { BufferDocument } from '../../../src/cli/status-documents.ts';
import { statusPage } from '../../../src/cli/status-page.ts';
import { statusDocuments, uplinkDocument } from '../../support/status-documents.ts';

describe('the status page', () => {
  it('shows a gateway that is well on a few lines', () => {
    expect(statusPage(statusDocuments({}))).toBe(`\
gateway   greenhouse-pi, up 3 d 4 h, version 1.2.3
health    ready
clock     synchronised
mqtt      1 client, 1 device known
messages  0 refused, 0 not allowed, 0 local, since the start
buffer    12.4 MiB of 2 GiB, 100 records, room for 1.5 GiB
disk      20 GiB free, 512 MiB of it kept free
wear      5 GiB a day, 545 B a record, 6 GiB a day with all programs, a new card lasts 5,461 days
data      /var/lib/sluice

uplink  state  accepted  delivered  rejected  dropped  pending  lag
plant   up          100        100         0        0        0  0 s
`);
  });

  it('says of the wear what is known', () => {
    const lineOf = (wear: BufferDocument['wear']) =>
      statusPage(statusDocuments({ buffer: { wear } }))
        .split('\n')
        .find((line) => line.startsWith('wear'));
    const none = { bytes_per_record: null, bytes_per_day: null, device_bytes_per_day: null, card_life_days: null };
    expect(lineOf(none)).toBe('wear      not known yet');
    expect(lineOf({ ...none, bytes_per_day: 1024 })).toBe('wear      1 KiB a day');
  });

  it('says how much was refused from devices over their share', () => {
    const streams = [{ stream: 'telemetry', accepted: 100, stored: 100, over_share: 1_234 }];
    const page = statusPage(statusDocuments({ buffer: { streams } }));
    expect(page).toContain('100 records, room for 1.5 GiB; 1,234 records refused from devices over their share');
  });

  it('says below each uplink what is wrong with it, and at last why nothing arrives', () => {
    const page = statusPage(
      statusDocuments({
        gateway: {
          messages: {
            refused: [
              { source: 'mqtt', reason: 'invalid_json', count: 2 },
              { source: 'http', reason: 'invalid_json', count: 1 },
            ],
            denied: 4,
            local: 1200,
          },
        },
        uplinks: [
          uplinkDocument({
            state: 'down',
            reason: 'connection refused',
            lag_seconds: 75,
            totals: { accepted: 12_345, delivered: 300, rejected: 1, dropped: 2, pending: 12_042 },
          }),
          uplinkDocument({ name: 'usb-stick', type: 'file', state: 'blocked', reason: 'no right to write' }),
        ],
        health: {
          status: 'degraded',
          parts: [
            { name: 'store', status: 'ok', reason: null },
            { name: 'clock', status: 'degraded', reason: 'not synchronised' },
            { name: 'uplink:plant', status: 'degraded', reason: 'connection refused' },
          ],
        },
      }),
    );
    expect(page.split('\n').slice(1)).toEqual([
      'health    degraded; clock: not synchronised',
      'clock     synchronised',
      'mqtt      1 client, 1 device known',
      'messages  3 refused (mqtt invalid_json 2, http invalid_json 1), 4 not allowed, 1,200 local, since the start',
      'buffer    12.4 MiB of 2 GiB, 100 records, room for 1.5 GiB',
      'disk      20 GiB free, 512 MiB of it kept free',
      'wear      5 GiB a day, 545 B a record, 6 GiB a day with all programs, a new card lasts 5,461 days',
      'data      /var/lib/sluice',
      '',
      'uplink     state    accepted  delivered  rejected  dropped  pending         lag',
      'plant      down       12,345        300         1        2   12,042  1 min 15 s',
      '  connection refused',
      'usb-stick  blocked       100        100         0        0        0         0 s',
      '  no right to write',
      '',
      'Nothing arrives: uplink usb-stick is blocked: no right to write.',
      '',
    ]);
  });

  it('says below each uplink what it sends beside fresh records, again, and of its budget', () => {
    const replay = { id: 3, uplink: 'plant', stream: 'telemetry', device: 'pump', state: 'active' } as const;
    const counts = { delivered: 1_200, rejected: 1, removed: 0 };
    const page = statusPage(
      statusDocuments({
        uplinks: [
          uplinkDocument({
            backfills: [{ stream: 'telemetry' }, { stream: 'events' }, { stream: 'telemetry' }],
            seconds_to_drained: 3_700,
            sent_bytes_today: 12 * 2 ** 20,
            max_bytes_per_second: 2 ** 13,
            max_bytes_per_day: 50 * 2 ** 20,
          }),
          uplinkDocument({ name: 'stick', backfills: [{ stream: 'events' }], seconds_to_drained: null }),
          uplinkDocument({ name: 'modem', max_bytes_per_second: 2 ** 13, sent_bytes_today: 0, seconds_to_drained: 59 }),
          uplinkDocument({ name: 'satellite', seconds_to_drained: 6 * 86_400 }),
        ],
        replays: [
          { ...replay, ...counts },
          { ...replay, ...counts, id: 2, state: 'done' },
          { ...replay, ...counts, id: 4, uplink: 'stick', device: null },
        ],
      }),
    );
    expect(page.split('\n').filter((line) => line.startsWith('  '))).toEqual([
      '  fresh records go first, behind them 3 backfills of telemetry, events, drained in 1 h 1 min',
      '  12 MiB of 50 MiB sent today, at most 8 KiB a second',
      '  replay 3 of telemetry of pump: 1,200 delivered, 1 rejected, 0 removed',
      '  fresh records go first, behind them 1 backfill of events, it does not become less',
      '  replay 4 of telemetry: 1,200 delivered, 1 rejected, 0 removed',
      '  0 B sent today, at most 8 KiB a second',
      '  drained in 6 d',
    ]);
  });

  it('says how far a damaged log is put back', () => {
    const page = statusPage(statusDocuments({ buffer: { salvaged: 0.427 } }));
    expect(page).toContain(
      'salvage   records of a damaged log are put back, 42 % of it looked through; forwarding waits for the end\n',
    );
  });

  it('says that damaged files are set aside, and where it stands what of them is lost', () => {
    expect(statusPage(statusDocuments({ buffer: { set_aside_bytes: 400_000 } }))).toMatch(
      /set aside +391 KiB of a damaged store; what of it is lost is in gaps with reason corruption/,
    );
    expect(statusPage(statusDocuments({}))).not.toContain('set aside');
  });

  it('needs no uplink', () => {
    expect(statusPage(statusDocuments({ uplinks: [] }))).toMatch(
      /data {6}\/var\/lib\/sluice\n\nNothing arrives: no uplink is configured/,
    );
  });
});
