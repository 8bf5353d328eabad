import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { SeededRandom } from '../../support/random.ts';
import { type AttackContext, type AttackName, RUN, type Sights } from './attacks.ts';

export type AttackerData = Omit<AttackContext, 'random' | 'reached'> & {
  readonly attack: AttackName;
  readonly seed: number;
};
/** `ready` comes first; after any message to the attacker come `reached`, once, and `done`. */
export type AttackerMessage =
  | { readonly kind: 'ready' | 'reached' }
  | { readonly kind: 'done'; readonly sights: Sights };

const { attack, seed, ...context } = workerData as AttackerData;
const tell = (message: AttackerMessage): void => parentPort?.postMessage(message);
const reached = (): void => tell({ kind: 'reached' });
tell({ kind: 'ready' });
if (parentPort !== null) await once(parentPort, 'message');
tell({ kind: 'done', sights: await RUN[attack]({ ...context, random: new SeededRandom(seed), reached }) });
