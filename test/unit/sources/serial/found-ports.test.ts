import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPorts } from '../../../../src/sources/serial/found-ports.ts';

let root: string;

const NO_USB = { vendorId: null, productId: null, vendor: null, product: null, serialNumber: null };
const inRoot = (...path: string[]) => join(root, ...path);

/** As sysfs shows a port: an entry of its class, with a link to the device. */
function port(name: string, device: string | undefined, type?: string): void {
  const entry = inRoot('sys/class/tty', name);
  mkdirSync(entry, { recursive: true });
  if (type !== undefined) writeFileSync(join(entry, 'type'), `${type}\n`);
  writeFileSync(inRoot('dev', name), '');
  if (device === undefined) return;
  mkdirSync(inRoot('sys/devices', device), { recursive: true });
  symlinkSync(inRoot('sys/devices', device), join(entry, 'device'));
}

function usb(device: string, texts: Readonly<Record<string, string>>): void {
  mkdirSync(inRoot('sys/devices', device), { recursive: true });
  for (const [name, text] of Object.entries(texts)) writeFileSync(inRoot('sys/devices', device, name), `${text}\n`);
}

const found = () => findPorts({ dev: inRoot('dev'), sys: inRoot('sys') });

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-sys-'));
  mkdirSync(inRoot('dev/serial/by-id'), { recursive: true });
});

afterEach(() => rmSync(root, { recursive: true }));

describe('the serial ports of a machine', () => {
  it('are named with what their USB device says of itself, and by the link that stays the same', async () => {
    usb('usb1/1-1', { idVendor: '2341', idProduct: '0043', manufacturer: 'Arduino', product: 'Uno', serial: '55' });
    port('ttyACM0', 'usb1/1-1/1-1:1.0');
    usb('usb1/1-2', { idVendor: '1a86', idProduct: '7523' });
    port('ttyUSB10', 'usb1/1-2/1-2:1.0/ttyUSB10');
    port('ttyUSB9', 'usb1/1-2/1-2:1.1/ttyUSB9');
    symlinkSync('../../ttyACM0', inRoot('dev/serial/by-id/usb-Arduino_Uno_55-if00'));
    symlinkSync('../../gone', inRoot('dev/serial/by-id/usb-gone-if00'));
    expect(await found()).toEqual([
      {
        path: inRoot('dev/ttyACM0'),
        byId: inRoot('dev/serial/by-id/usb-Arduino_Uno_55-if00'),
        vendorId: '2341',
        productId: '0043',
        vendor: 'Arduino',
        product: 'Uno',
        serialNumber: '55',
      },
      { path: inRoot('dev/ttyUSB9'), byId: null, ...NO_USB, vendorId: '1a86', productId: '7523' },
      { path: inRoot('dev/ttyUSB10'), byId: null, ...NO_USB, vendorId: '1a86', productId: '7523' },
    ]);
  });

  it('are no consoles, and no UARTs that are not there', async () => {
    port('tty1', undefined);
    port('ttyS0', 'platform/serial8250', '0');
    port('ttyAMA0', 'platform/uart', '32');
    expect(await found()).toEqual([{ path: inRoot('dev/ttyAMA0'), byId: null, ...NO_USB }]);
  });

  it('are none where there is no sysfs', async () => {
    expect(await findPorts({ dev: '/nowhere', sys: '/nowhere' })).toEqual([]);
  });
});
