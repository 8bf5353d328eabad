import { createRoute, z } from '@hono/zod-openapi';
import type { OfferedSerialPort, SerialPortView } from '../../core/views.ts';
import type { Api, ApiContext } from '../context.ts';
import { toTime } from '../times.ts';

const BadFrame = z.object({
  at: z.string().nullable(),
  reason: z.string(),
  bytes: z.int().openapi({ description: 'Of the whole; `hex` has the first ones.' }),
  hex: z.string(),
});

const Unit = z.object({
  unit_id: z.int().openapi({ description: 'Its address on the line.' }),
  device: z.string().nullable(),
  online: z.boolean().openapi({ description: 'It answered the last time.' }),
  last_answer_at: z.string().nullable(),
  reason: z.string().nullable().openapi({ description: 'Why something cannot be read from it.' }),
});

const Configured = z
  .object({
    name: z.string().openapi({ description: 'Of one that a pattern matches: `name/port`.' }),
    path: z.string(),
    device: z.string().nullable().openapi({ description: 'Null when the frames say whose they are.' }),
    state: z.enum(['open', 'absent', 'refused']),
    reason: z.string().nullable().openapi({ description: 'Why it cannot be opened, and what helps.' }),
    reconnects: z.int(),
    bytes: z.int(),
    frames: z.record(z.string(), z.int()).openapi({ description: 'By what became of them.' }),
    last_frame_at: z.string().nullable(),
    bad_frames: z.array(BadFrame).openapi({ description: 'The newest ones.' }),
    units: z.array(Unit).openapi({ description: 'Modbus devices that are polled on its line.' }),
  })
  .openapi('SerialPort');

const Found = z
  .object({
    path: z.string(),
    by_id: z.string().nullable(),
    vendor_id: z.string().nullable(),
    product_id: z.string().nullable(),
    vendor: z.string().nullable(),
    product: z.string().nullable(),
    serial_number: z.string().nullable(),
    port: z.string().nullable().openapi({ description: 'Which of the configured ports has it.' }),
    config: z.string().openapi({ description: 'A line for `serial` in the configuration.' }),
  })
  .openapi('FoundSerialPort');

const SerialPorts = z
  .object({
    ports: z.array(Configured).openapi({ description: 'Those that are configured; counts are since the start.' }),
    found: z.array(Found).openapi({ description: 'Those that are plugged in now.' }),
  })
  .openapi('SerialPorts', {
    example: {
      ports: [
        {
          name: 'arduino-1',
          path: '/dev/serial/by-id/usb-Arduino_Uno-if00',
          device: 'greenhouse',
          state: 'open',
          reason: null,
          reconnects: 2,
          bytes: 4711,
          frames: { accepted: 98, checksum: 1 },
          last_frame_at: '2026-05-01T11:59:59.500Z',
          bad_frames: [{ at: '2026-05-01T11:59:00.000Z', reason: 'checksum', bytes: 3, hex: '016161' }],
          units: [],
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
    },
  });

const ports = createRoute({
  method: 'get',
  path: '/v1/serial/ports',
  summary: 'Serial ports: what is configured, and what is plugged in',
  responses: { 200: { description: 'The ports.', content: { 'application/json': { schema: SerialPorts } } } },
});

export function serialRoutes(app: Api, { views }: ApiContext): void {
  app.openapi(ports, async (c) => {
    const found = await views.offeredSerialPorts();
    return c.json({ ports: views.serialPorts().map(portJson), found: found.map(foundJson) }, 200);
  });
}

function portJson(port: SerialPortView): z.infer<typeof Configured> {
  return {
    name: port.name,
    path: port.path,
    device: port.device,
    state: port.state,
    reason: port.reason,
    reconnects: port.reconnectCount,
    bytes: port.byteCount,
    frames: { ...port.frames },
    last_frame_at: toTime(port.lastFrameAt),
    bad_frames: port.badFrames.map(({ at, reason, byteCount, hex }) => ({
      at: toTime(at),
      reason,
      bytes: byteCount,
      hex,
    })),
    units: port.units.map(({ unitId, device, isOnline, lastAnswerAt, reason }) => ({
      unit_id: unitId,
      device,
      online: isOnline,
      last_answer_at: toTime(lastAnswerAt),
      reason,
    })),
  };
}

function foundJson(found: OfferedSerialPort): z.infer<typeof Found> {
  return {
    path: found.path,
    by_id: found.byId,
    vendor_id: found.vendorId,
    product_id: found.productId,
    vendor: found.vendor,
    product: found.product,
    serial_number: found.serialNumber,
    port: found.port,
    config: found.config,
  };
}
