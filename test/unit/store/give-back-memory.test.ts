import { afterEach, expect, it, vi } from 'vitest';
import { openStore, storeDirectory } from '../../support/open-store.ts';

const directory = storeDirectory();

afterEach(() => {
  vi.unstubAllGlobals();
  directory.remove();
});

it('gives back what is garbage in the thread of the store when it is told to', async () => {
  const collect = vi.fn();
  vi.stubGlobal('gc', collect);
  const store = await openStore({ dataDir: directory.dataDir });
  expect(collect).toHaveBeenCalledTimes(0);
  await store.client.giveBackMemory();
  expect(collect).toHaveBeenCalledTimes(1);
  expect(collect).toHaveBeenCalledWith({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  await store.close();
});
