import { afterEach, expect, it, vi } from 'vitest';
import { freePort } from '../../support/free-port.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

it('gives no port twice, whatever the dice say', async () => {
  const thrown = Math.random();
  vi.spyOn(Math, 'random')
    .mockReturnValueOnce(thrown)
    .mockReturnValueOnce(thrown)
    .mockReturnValue((thrown + 0.5) % 1);
  const first = await freePort();
  expect(await freePort()).not.toBe(first);
});
