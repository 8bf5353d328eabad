import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { FoundSerialPort } from '../../core/views.ts';

/** Where the system shows its devices. */
export interface SystemPaths {
  readonly dev: string;
  readonly sys: string;
}

const SYSTEM: SystemPaths = { dev: '/dev', sys: '/sys' };
/** From a port up to the USB device that it is a part of. */
const MAX_LEVELS_UP = 6;
const MAX_TEXT_LENGTH = 200;

/**
 * The serial ports of this machine, those of USB adapters and UARTs, in the order of their names. Looked up in sysfs,
 * which needs neither root nor udev's programs; never rejects.
 */
export async function findPorts(paths: SystemPaths = SYSTEM): Promise<readonly FoundSerialPort[]> {
  const tty = join(paths.sys, 'class/tty');
  const [names, byId] = await Promise.all([namesIn(tty), linksById(paths.dev)]);
  const found = await Promise.all(names.map((name) => foundPort(name, { ...paths, byId })));
  return found
    .filter((port) => port !== undefined)
    .sort((a, b) => a.path.localeCompare(b.path, 'en', { numeric: true }));
}

type Surroundings = SystemPaths & { readonly byId: ReadonlyMap<string, string> };

/** Undefined for what is no port: consoles have no device, and a UART of type 0 is not there. */
async function foundPort(name: string, { dev, sys, byId }: Surroundings): Promise<FoundSerialPort | undefined> {
  const entry = join(sys, 'class/tty', name);
  const device = await realpath(join(entry, 'device')).catch(() => undefined);
  if (device === undefined || (await textOf(join(entry, 'type'))) === '0') return undefined;
  return { path: join(dev, name), byId: byId.get(name) ?? null, ...(await usbOf(device)) };
}

type Usb = Omit<FoundSerialPort, 'path' | 'byId'>;

const NO_USB: Usb = { vendorId: null, productId: null, vendor: null, product: null, serialNumber: null };

async function usbOf(device: string): Promise<Usb> {
  let directory = device;
  for (let level = 0; level < MAX_LEVELS_UP; level += 1) {
    const vendorId = await textOf(join(directory, 'idVendor'));
    if (vendorId === null) {
      directory = dirname(directory);
      continue;
    }
    const read = (name: string) => textOf(join(directory, name));
    const [productId, vendor, product, serialNumber] = await Promise.all(
      ['idProduct', 'manufacturer', 'product', 'serial'].map(read),
    );
    return {
      vendorId,
      productId: productId ?? null,
      vendor: vendor ?? null,
      product: product ?? null,
      serialNumber: serialNumber ?? null,
    };
  }
  return NO_USB;
}

/** By the name of the device node that they lead to. */
async function linksById(dev: string): Promise<ReadonlyMap<string, string>> {
  const directory = join(dev, 'serial/by-id');
  const links = (await namesIn(directory)).map(async (name) => {
    const link = join(directory, name);
    const node = await realpath(link).catch(() => '');
    return [basename(node), link] as const;
  });
  return new Map(await Promise.all(links));
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return await readdir(directory).catch(() => []);
}

async function textOf(file: string): Promise<string | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  return text === null ? null : text.trim().slice(0, MAX_TEXT_LENGTH);
}
