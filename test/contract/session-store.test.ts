import { FakeSessionStore } from '../support/fake-session-store.ts';
import { openStore, storeDirectory } from '../support/open-store.ts';
import { sessionStoreContract } from './session-store.suite.ts';

sessionStoreContract('the store', async () => {
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

sessionStoreContract('the fake', async () => {
  let store = new FakeSessionStore();
  return {
    store,
    reopen: async () => {
      store = store.reopened();
      return store;
    },
    close: async () => undefined,
  };
});
