import { describe, expect, it } from 'vitest';
import { whyNothingArrives } from '../../../src/cli/why-nothing-arrives.ts';
import { statusDocuments, uplinkDocument } from '../../support/status-documents.ts';

type Changes = Parameters<typeof statusDocuments>[0];

const EMPTY = { streams: [{ stream: 'telemetry', accepted: 0, stored: 0, over_share: 0 }] };
const NOTHING_YET = { accepted: 0, delivered: 0, rejected: 0, dropped: 0, pending: 0 };
const WAITING = { accepted: 100, delivered: 0, rejected: 0, dropped: 0, pending: 100 };
const quiet = { refused: [], denied: 0, local: 0 };

const CASES: readonly (readonly [when: string, changes: Changes, why: string | undefined])[] = [
  ['records arrive', {}, undefined],
  [
    'one of two uplinks works',
    { uplinks: [uplinkDocument(), uplinkDocument({ name: 'usb', state: 'blocked' })] },
    undefined,
  ],
  ['a backlog is being worked off', { uplinks: [uplinkDocument({ totals: { ...WAITING, delivered: 1 } })] }, undefined],
  [
    'the disk is full',
    { buffer: { full: 'the disk has less than 512 MiB free' } },
    'nothing can be stored: the disk has less than 512 MiB free',
  ],
  [
    'nobody has come',
    { buffer: EMPTY, gateway: { mqtt: { clients: 0 } } },
    'no device has connected yet: publish to devices/{id}/telemetry',
  ],
  [
    'clients say nothing',
    { buffer: EMPTY, gateway: { mqtt: { clients: 2 } } },
    '2 clients connected, but none has published anything yet',
  ],
  [
    'only gaps are in the log',
    {
      buffer: { streams: [{ stream: 'gaps', accepted: 5, stored: 5, over_share: 0 }] },
      gateway: { mqtt: { clients: 0 } },
    },
    'no device has connected yet: publish to devices/{id}/telemetry',
  ],
  [
    'all messages are refused',
    {
      buffer: EMPTY,
      gateway: {
        messages: {
          ...quiet,
          denied: 1,
          refused: [
            { source: 'mqtt', reason: 'empty', count: 1 },
            { source: 'mqtt', reason: 'not_json', count: 2000 },
          ],
        },
      },
    },
    'no message could be taken: 2,001 refused, most of them as not_json',
  ],
  [
    'all publishes are denied',
    { buffer: EMPTY, gateway: { messages: { ...quiet, denied: 3, local: 1 } } },
    '3 publishes not allowed: a device may publish only below devices/{its id}/',
  ],
  [
    'one publish is denied',
    { buffer: EMPTY, gateway: { messages: { ...quiet, denied: 1 } } },
    '1 publish not allowed: a device may publish only below devices/{its id}/',
  ],
  [
    'all messages are on other topics',
    { buffer: EMPTY, gateway: { messages: { ...quiet, local: 7 } } },
    '7 messages on other topics: publish to devices/{id}/telemetry',
  ],
  [
    'there is no uplink',
    { uplinks: [] },
    'no uplink is configured, so records stay on this machine (uplinks, in the configuration)',
  ],
  [
    'an uplink is blocked',
    { uplinks: [uplinkDocument({ state: 'blocked', reason: 'topic sluice.telemetry does not exist: create it' })] },
    'uplink plant is blocked: topic sluice.telemetry does not exist: create it',
  ],
  [
    'an uplink is down',
    { uplinks: [uplinkDocument({ state: 'down', reason: 'connection refused' })] },
    'uplink plant is down: connection refused',
  ],
  [
    'several uplinks do not work: the worst is named',
    {
      uplinks: [
        uplinkDocument({ name: 'a', state: 'paused' }),
        uplinkDocument({ name: 'b', state: 'down' }),
        uplinkDocument({ name: 'c', state: 'blocked', reason: 'no right' }),
      ],
    },
    'uplink c is blocked: no right',
  ],
  [
    'an uplink is paused',
    { uplinks: [uplinkDocument({ state: 'paused' })] },
    'uplink plant is paused: POST /v1/uplinks/plant/resume lets it go on',
  ],
  [
    'an uplink connects',
    { uplinks: [uplinkDocument({ state: 'connecting', totals: WAITING })] },
    'uplink plant is connecting',
  ],
  [
    'the clock is not set yet',
    { gateway: { clock: 'unsynced' }, uplinks: [uplinkDocument({ state: 'connecting', totals: WAITING })] },
    'forwarding waits for the first time synchronisation (clock.waitForSync, in the configuration)',
  ],
  [
    'the clock is not set, but that is not the reason',
    { gateway: { clock: 'unsynced' }, uplinks: [uplinkDocument({ state: 'down', reason: 'connection refused' })] },
    'uplink plant is down: connection refused',
  ],
  ['the clock is not set, and records arrive', { gateway: { clock: 'unsynced' } }, undefined],
  [
    'the first batch is under way',
    { uplinks: [uplinkDocument({ totals: WAITING })] },
    'uplink plant is up, and has not delivered its first batch yet',
  ],
  [
    'an uplink carries other streams',
    { uplinks: [uplinkDocument({ totals: NOTHING_YET })] },
    'no uplink has got a record yet: their streams have had none since they began',
  ],
  [
    'the devices have fallen silent',
    {
      devices: [
        { age_seconds: 9000, stale: true },
        { age_seconds: 7200, stale: true },
        { age_seconds: null, stale: true },
      ],
    },
    'no device has sent anything for 2 h',
  ],
  [
    'one device still speaks',
    {
      devices: [
        { age_seconds: 7200, stale: true },
        { age_seconds: 3, stale: false },
      ],
    },
    undefined,
  ],
];

describe('why nothing arrives', () => {
  it.each(CASES)('when %s', (_, changes, why) => {
    expect(whyNothingArrives(statusDocuments(changes))).toBe(why);
  });

  it('lets nothing foreign onto the terminal', () => {
    const uplinks = [uplinkDocument({ state: 'down', reason: '\u001b[2J' })];
    expect(whyNothingArrives(statusDocuments({ uplinks }))).toBe('uplink plant is down: \\u{1b}[2J');
  });
});
