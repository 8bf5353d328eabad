import { beforeEach, describe, expect, it } from 'vitest';
import { fakeApi } from '../../support/fake-api.ts';
import { serialPortView } from '../../support/fake-views.ts';

let api: ReturnType<typeof fakeApi>;

beforeEach(() => {
  api = fakeApi();
});

const ask = async () => (await (await api.app.request('/v1/serial/ports')).json()) as Record<string, unknown>;

describe('GET /v1/serial/ports', () => {
  it('shows what is configured, with its counts and newest bad frames, and what is plugged in', async () => {
    expect(await ask()).toEqual({
      ports: [
        {
          name: 'arduino-1',
          path: '/dev/serial/by-id/usb-Arduino_Uno-if00',
          device: 'greenhouse',
          state: 'open',
          reason: null,
          reconnects: 2,
          bytes: 4711,
          frames: { accepted: 98, checksum: 1, overrun: 3 },
          last_frame_at: '2026-05-01T11:59:59.500Z',
          bad_frames: [{ at: '2026-05-01T11:59:00.000Z', reason: 'checksum', bytes: 3, hex: '016161' }],
          units: [
            {
              unit_id: 7,
              device: 'meter-7',
              online: true,
              last_answer_at: '2026-05-01T12:00:00.000Z',
              reason: 'input 52: exception 2',
            },
          ],
        },
      ],
      found: [
        {
          path: '/dev/ttyACM0',
          by_id: '/dev/serial/by-id/usb-Arduino_Uno-if00',
          vendor_id: '2341',
          product_id: '0043',
          vendor: 'Arduino',
          product: 'Uno',
          serial_number: '5543',
          port: 'arduino-1',
          config: '- { name: uno, path: "/dev/serial/by-id/usb-Arduino_Uno-if00", baudRate: 115200 }',
        },
      ],
    });
  });

  it('says why a port cannot be opened', async () => {
    const reason = 'this user may not open it; add the user to group dialout';
    api.views.currentSerialPorts = [serialPortView({ state: 'refused', reason, lastFrameAt: null })];
    expect(await ask()).toMatchObject({ ports: [{ state: 'refused', reason, last_frame_at: null }] });
  });
});
