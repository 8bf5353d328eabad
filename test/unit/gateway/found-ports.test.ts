import { describe, expect, it } from 'vitest';
import { configLine } from '../../../src/gateway/found-ports.ts';
import { configOf } from '../../support/config-text.ts';

const USB = { byId: null, vendorId: '1a86', productId: '7523', vendor: null, product: null, serialNumber: null };

describe('the line of configuration of a port that is plugged in', () => {
  it.each([
    ['usb-serial', { ...USB, path: '/dev/ttyX0', byId: '/dev/serial/by-id/usb-1a86: "x"', product: 'USB Serial' }],
    ['usb-1a86', { ...USB, path: '/dev/ttyX0' }],
    ['usb-1a86', { ...USB, path: '/dev/ttyX0', product: '…' }],
    ['ttyAMA0', { ...USB, path: '/dev/ttyAMA0', vendorId: null }],
  ])('is good, and names it %s', (name, found) => {
    const [port] = configOf(`serial:\n  ${configLine(found, new Set())}`).config.serial;
    expect(port).toMatchObject({ name, path: found.byId ?? found.path });
  });

  it('is good beside that of an equal one, and of one that is configured', () => {
    const taken = new Set(['usb-1a86']);
    const lines = ['/dev/ttyX0', '/dev/ttyX1'].map((path) => configLine({ ...USB, path }, taken));
    const names = configOf(`serial:\n  ${lines.join('\n  ')}`).config.serial.map(({ name }) => name);
    expect(names).toEqual(['usb-1a86-2', 'usb-1a86-3']);
  });
});
