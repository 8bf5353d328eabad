import { afterEach, expect, it, vi } from 'vitest';
import { freePort } from '../../support/free-port.ts';

/** As it throws them. */
const LOWEST = 15_000;
const PORTS = 17_000;

afterEach(() => {
  vi.restoreAllMocks();
});

it('gives no port twice, whatever the dice say', async () => {
  const first = await freePort();
  const again = (first - LOWEST) / PORTS + 1e-9;
  vi.spyOn(Math, 'random').mockReturnValueOnce(again);
  expect(await freePort()).not.toBe(first);
});
