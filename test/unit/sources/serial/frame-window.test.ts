import { beforeEach, describe, expect, it } from 'vitest';
import type { Handshake } from '../../../../src/core/record.ts';
import { FrameWindow } from '../../../../src/sources/serial/frame-window.ts';

let released: string[];

beforeEach(() => {
  released = [];
});

const key = (number: number): Handshake => ({ clientId: String(number), packetId: 1 });

function windowOf(size: number, restored: readonly number[] = []): FrameWindow {
  return new FrameWindow(size, restored.map(key), ({ clientId }) => released.push(clientId));
}

function add(window: FrameWindow, ...numbers: readonly number[]): void {
  for (const number of numbers) window.add(key(number));
}

describe('the latest frames of a port', () => {
  it('are as many as the window has places; the oldest is released for a new one', () => {
    const window = windowOf(2);
    add(window, 1, 2);
    expect(released).toEqual([]);
    add(window, 3, 4);
    expect(released).toEqual(['1', '2']);
  });

  it('include all that the store knows from before, whose age nobody knows, until they are old in any case', () => {
    // More than the window: what was released when the gateway was killed was not on disk.
    const window = windowOf(2, [10, 11, 8, 9]);
    add(window, 12);
    expect(released).toEqual([]);
    add(window, 13);
    expect(released).toEqual(['10', '11', '8', '9']);
    add(window, 14);
    expect(released).toEqual(['10', '11', '8', '9', '12']);
  });

  it('are bounded, however often the gateway is killed before they are old', () => {
    add(
      windowOf(
        2,
        Array.from({ length: 100 }, (_, number) => number),
      ),
      100,
    );
    expect(released.length).toBe(100 - 2 * 16);
  });
});
