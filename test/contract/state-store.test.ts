import { openStore, storeDirectory } from '../support/open-store.ts';
import { stateStoreContract } from './state-store.suite.ts';

stateStoreContract('the store', async () => {
  const { dataDir, remove } = storeDirectory();
  let store = await openStore({ dataDir });
  return {
    store: store.client,
    reopen: async () => {
      await store.close();
      store = await openStore({ dataDir });
      return store.client;
    },
    close: async () => {
      await store.close();
      remove();
    },
  };
});
