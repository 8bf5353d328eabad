import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { SluiceError } from '../../../src/core/errors.ts';
import { StoreClient } from '../../../src/store/store-client.ts';

describe('a store whose worker is gone', () => {
  const { port1, port2 } = new MessageChannel();
  afterEach(() => {
    port1.close();
    port2.close();
  });

  it('answers nothing more, not even that everything before is on disk', async () => {
    const store = new StoreClient(port1);
    await expect(store.append({ kind: 'barrier' })).resolves.toMatchObject({ firstSeq: 0 });
    store.fail(new SluiceError('gone', { code: 'worker_died' }));
    await expect(store.append({ kind: 'barrier' })).rejects.toThrow('gone');
  });
});
