import { describe, expect, it } from 'vitest';
import { nearest } from '../../../src/config/nearest.ts';

const KNOWN = ['maxPacketSize', 'maxClients', 'listeners', 'host', 'port'];

describe('the nearest known word', () => {
  it.each([
    ['maxpacketsize', 'maxPacketSize'],
    ['max_packet_size', 'maxPacketSize'],
    ['max-clients', 'maxClients'],
    ['listener', 'listeners'],
    ['prot', 'port'],
    ['hosst', 'host'],
    ['port', 'port'],
  ])('finds for %s %s', (word, expected) => {
    expect(nearest(word, KNOWN)).toBe(expected);
  });

  it.each(['', 'colour', 'x'.repeat(1000), '__proto__'])('finds none for %j', (word) => {
    expect(nearest(word, KNOWN)).toBeUndefined();
  });

  it('finds none where nothing is known', () => {
    expect(nearest('port', [])).toBeUndefined();
  });
});
