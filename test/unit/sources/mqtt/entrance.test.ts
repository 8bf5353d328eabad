import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Entrance } from '../../../../src/sources/mqtt/entrance.ts';

let now = 0;
let slowed: string[];
let entered: string[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  now = 5_000;
  slowed = [];
  entered = [];
});

afterEach(() => {
  vi.useRealTimers();
});

function entranceOf(ratePerS: number): Entrance {
  return new Entrance({ ratePerS, onSlowed: (address) => slowed.push(address), now: () => now });
}

/** As much of a socket as an entrance looks at. */
class Peer extends EventEmitter {
  readonly remoteAddress: string;
  destroyed = false;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function come(entrance: Entrance, address: string, name = address): Peer {
  const peer = new Peer(address);
  entrance.enter(peer as unknown as Socket, () => entered.push(name));
  return peer;
}

function comeMany(entrance: Entrance, address: string, count: number): readonly Peer[] {
  return Array.from({ length: count }, (_, index) => come(entrance, address, `${address} ${index}`));
}

function pass(ms: number): void {
  for (let step = 0; step < ms; step += 1) {
    now += 1;
    vi.advanceTimersByTime(1);
  }
}

describe('the entrance', () => {
  it("lets a fifth of a second's worth in at once, and the rest at the rate, in order", () => {
    const entrance = entranceOf(100);
    comeMany(entrance, '10.0.0.1', 50);
    expect(entered.length).toBe(20);
    pass(100);
    expect(entered.length).toBe(30);
    pass(200);
    expect(entered).toEqual(Array.from({ length: 50 }, (_, index) => `10.0.0.1 ${index}`));
    expect(slowed.length).toBe(30);
  });

  it('lets one in at once, however low the rate', () => {
    const entrance = entranceOf(1);
    comeMany(entrance, '10.0.0.1', 2);
    expect(entered).toEqual(['10.0.0.1 0']);
    pass(1_000);
    expect(entered.length).toBe(2);
  });

  it('lets everything in at once without a rate', () => {
    comeMany(entranceOf(0), '10.0.0.1', 5_000);
    expect(entered.length).toBe(5_000);
    expect(slowed).toEqual([]);
  });

  it('lets an address that comes behind a flood in as soon as another one', () => {
    const entrance = entranceOf(100);
    comeMany(entrance, '10.0.0.1', 500);
    come(entrance, '10.0.0.2');
    come(entrance, '10.0.0.3');
    pass(30);
    expect(entered.slice(20)).toEqual(['10.0.0.1 20', '10.0.0.2', '10.0.0.3']);
  });

  it('gives no turn to a connection that was closed meanwhile', () => {
    const entrance = entranceOf(100);
    const peers = comeMany(entrance, '10.0.0.1', 40);
    for (const peer of peers.slice(20, 39)) peer.destroy();
    pass(10);
    expect(entered.at(-1)).toBe('10.0.0.1 39');
    expect(entered.length).toBe(21);
  });

  it('survives the reset of a connection that waits', () => {
    const entrance = entranceOf(1);
    come(entrance, '10.0.0.1');
    const peer = come(entrance, '10.0.0.1', 'reset');
    peer.emit('error', new Error('ECONNRESET'));
    pass(3_000);
    expect(peer.destroyed).toBe(true);
    expect(entered).not.toContain('reset');
  });

  it('lets nobody in any more once it is stopped', () => {
    const entrance = entranceOf(100);
    comeMany(entrance, '10.0.0.1', 30);
    entrance.stop();
    pass(1_000);
    expect(entered.length).toBe(20);
  });
});
