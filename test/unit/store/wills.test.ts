import { expect, it } from 'vitest';
import { openStore, storeDirectory } from '../../support/open-store.ts';

it('removes the wills of a device with the device, and no others', async () => {
  const directory = storeDirectory();
  const { client, close } = await openStore({ dataDir: directory.dataDir });
  const will = { clientId: 'c', topic: 'a', qos: 0, retain: false, payload: new Uint8Array() } as const;
  await client.saveSessions([
    { kind: 'will', will: { ...will, id: 1, owner: 'pump' } },
    { kind: 'will', will: { ...will, id: 2, owner: 'valve' } },
    { kind: 'will', will: { ...will, id: 3, owner: '' } },
  ]);
  await client.removeDevice('pump');
  expect((await client.loadWills(0, 10)).map(({ owner }) => owner)).toEqual(['valve', '']);
  await close();
  directory.remove();
});
