import { parentPort, workerData } from 'node:worker_threads';
import { SeededRandom } from '../../support/random.ts';
import { type AttackContext, type AttackName, RUN, type Sights } from './attacks.ts';

export type AttackerData = Omit<AttackContext, 'random' | 'reached'> & {
  readonly attack: AttackName;
  readonly seed: number;
};
/** `reached` comes once, then `done`. */
export type AttackerMessage = { readonly kind: 'reached' } | { readonly kind: 'done'; readonly sights: Sights };

const { attack, seed, ...context } = workerData as AttackerData;
const tell = (message: AttackerMessage): void => parentPort?.postMessage(message);
const reached = (): void => tell({ kind: 'reached' });
tell({ kind: 'done', sights: await RUN[attack]({ ...context, random: new SeededRandom(seed), reached }) });
