import { expect, it } from 'vitest';
import { ClientIdClaims } from '../../../src/store/client-id-claims.ts';
import type { ClientIdClaim } from '../../../src/store/protocol.ts';

const claimOf = (clientId: string): ClientIdClaim => ({ clientId, owner: '', at: 1 });

it('asks for one claim at once, and for all that come meanwhile together, in order', async () => {
  const requests: string[][] = [];
  const answers: ((granted: boolean[]) => void)[] = [];
  const claims = new ClientIdClaims((batch) => {
    requests.push(batch.map(({ clientId }) => clientId));
    return new Promise((resolve) => answers.push(resolve));
  });
  const first = claims.claim(claimOf('a'));
  const others = ['b', 'c', 'd'].map((clientId) => claims.claim(claimOf(clientId)));
  expect(requests).toEqual([['a']]);
  answers[0]?.([true]);
  expect(await first).toBe(true);
  expect(requests).toEqual([['a'], ['b', 'c', 'd']]);
  answers[1]?.([true, false, true]);
  expect(await Promise.all(others)).toEqual([true, false, true]);
});

it('rejects all that were asked for together, and goes on with the next', async () => {
  let failures = 1;
  const claims = new ClientIdClaims((batch) => {
    failures -= 1;
    return failures >= 0 ? Promise.reject(new Error('busy')) : Promise.resolve(batch.map(() => true));
  });
  const first = claims.claim(claimOf('a'));
  const second = claims.claim(claimOf('b'));
  await expect(first).rejects.toThrow('busy');
  expect(await second).toBe(true);
});
