import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventLoopDelay } from '../../../src/platform/event-loop-delay.ts';
import { Metrics } from '../../../src/platform/metrics.ts';
import { FAKE_NOW, FakeViews, linkStatus, logStats, uplinkView } from '../../support/fake-views.ts';

let metrics: Metrics;
let views: FakeViews;

beforeEach(() => {
  metrics = new Metrics();
  metrics.start();
  views = new FakeViews();
});

afterEach(() => metrics.stop());

async function samples(): Promise<string[]> {
  const text = await metrics.render(views, FAKE_NOW);
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('the metrics', () => {
  it('show what replays delivered', async () => {
    views.currentStats = logStats({ uplinks: [{ uplink: 'plant', replayedCount: 7, sent: null }] });
    expect(await samples()).toContain('sluice_records_replayed_total{uplink="plant"} 7');
  });

  it('show the counts that others keep', async () => {
    expect(await samples()).toEqual(
      expect.arrayContaining([
        'sluice_messages_refused_total{source="mqtt",reason="not_json"} 3',
        'sluice_records_accepted_total{stream="telemetry"} 100',
        'sluice_records_delivered_total{uplink="plant",stream="telemetry"} 70',
        'sluice_records_rejected_total{uplink="plant",stream="telemetry"} 2',
        'sluice_records_dropped_total{uplink="plant",stream="telemetry",reason="max_bytes"} 5',
        'sluice_records_pending{uplink="plant",stream="telemetry"} 20',
        'sluice_buffer_bytes 4096',
        'sluice_buffer_room_bytes 600000',
        'sluice_records_over_share_total{stream="telemetry"} 4',
        'sluice_buffer_written_bytes_total 123456',
        'sluice_buffer_oldest_pending_seconds{uplink="plant"} 90',
        'sluice_uplink_up{uplink="plant"} 1',
        'sluice_uplink_lag_seconds{uplink="plant"} 90',
        'sluice_mqtt_clients 7',
        'sluice_commands_unfinished 3',
        'sluice_commands_finished_total{state="done"} 8',
        'sluice_command_responses_ignored_total{reason="unknown_request"} 1',
        'sluice_commands_refused_total{reason="not_json"} 2',
        'sluice_serial_port_up{port="arduino-1"} 1',
        'sluice_serial_bytes_total{port="arduino-1"} 4711',
        'sluice_serial_reconnects_total{port="arduino-1"} 2',
        'sluice_serial_frames_total{port="arduino-1",result="accepted"} 98',
        'sluice_serial_frames_total{port="arduino-1",result="checksum"} 1',
        'sluice_serial_frames_total{port="arduino-1",result="overrun"} 3',
        'sluice_clock_synced 1',
        'sluice_build_info{version="1.2.3",node="24.0.0",arch="arm64"} 1',
      ]),
    );
  });

  it('show counters as they are, however often somebody asks', async () => {
    await samples();
    expect(await samples()).toContain('sluice_records_accepted_total{stream="telemetry"} 100');
  });

  it('forget an uplink that is gone', async () => {
    await samples();
    views.uplinks.views = [];
    views.currentStats = logStats({ lanes: [] });
    expect((await samples()).filter((line) => line.includes('plant'))).toEqual([]);
  });

  it('show a link that is down and a clock that is not set', async () => {
    views.uplinks.views = [uplinkView({ link: linkStatus({ state: 'down' }) })];
    views.currentInfo = { ...views.currentInfo, clock: 'unsynced' };
    expect(await samples()).toEqual(
      expect.arrayContaining(['sluice_uplink_up{uplink="plant"} 0', 'sluice_clock_synced 0']),
    );
  });

  it('show 0 seconds when nothing is pending, and never less', async () => {
    views.currentStats = logStats({ lanes: [] });
    expect(await samples()).toContain('sluice_uplink_lag_seconds{uplink="plant"} 0');
    views.currentStats = logStats();
    expect(await metrics.render(views, 0)).toContain('sluice_uplink_lag_seconds{uplink="plant"} 0');
  });

  it('show how long a card lasts, and nothing where nobody knows', async () => {
    const wear = async () => (await samples()).filter((line) => /written_bytes_per|card_life/.test(line));
    expect(await wear()).toEqual([
      'sluice_written_bytes_per_record 545.4',
      'sluice_written_bytes_per_day 4000000000',
      'sluice_device_written_bytes_per_day 5000000000',
      'sluice_card_life_days 6400',
    ]);
    const unknown = { bytesPerRecord: null, bytesPerDay: null, deviceBytesPerDay: null, cardLifeDays: null };
    views.currentWear = { ...views.currentWear, ...unknown };
    expect(await wear()).toEqual([]);
  });

  it('count commits and requests by their duration', async () => {
    metrics.observeCommit(0.004);
    metrics.observeHttpRequest({ route: '/v1/devices/{id}', method: 'GET', status: 200 }, 0.2);
    expect(await samples()).toEqual(
      expect.arrayContaining([
        'sluice_buffer_commit_duration_seconds_bucket{le="0.0025"} 0',
        'sluice_buffer_commit_duration_seconds_bucket{le="0.005"} 1',
        'sluice_http_request_duration_seconds_count{route="/v1/devices/{id}",method="GET",status="200"} 1',
      ]),
    );
  });

  it('tell about the process', async () => {
    const text = (await samples()).join('\n');
    expect(text).toMatch(/^process_resident_memory_bytes \d+/m);
    expect(text).toMatch(/^process_cpu_seconds_total /m);
    expect(text).toMatch(/^sluice_event_loop_delay_seconds\{quantile="0.99"\} \d/m);
  });
});

describe('the event loop delay', () => {
  it('shows that the loop stood still, until it was asked', async () => {
    const delay = new EventLoopDelay();
    delay.start();
    const stall = setInterval(() => {
      const until = performance.now() + 150;
      while (performance.now() < until);
    }, 200);
    let afterwards: readonly number[] = [];
    // A look takes back what the stall right behind it would have shown: several come between two looks.
    await vi.waitFor(
      () => {
        const [longest] = delay.take([1]);
        // In the same turn: nothing can be measured in between.
        afterwards = delay.take([1]);
        expect(longest).toBeGreaterThan(0.1);
      },
      { timeout: 10_000, interval: 700 },
    );
    expect(afterwards).toEqual([0]);
    clearInterval(stall);
    delay.stop();
  });
});
