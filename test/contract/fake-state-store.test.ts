import { FakeStateStore } from '../support/fake-state-store.ts';
import { stateStoreContract } from './state-store.suite.ts';

stateStoreContract('the fake', async () => {
  const store = new FakeStateStore();
  return { store, reopen: async () => store.reopened(), close: async () => undefined };
});
