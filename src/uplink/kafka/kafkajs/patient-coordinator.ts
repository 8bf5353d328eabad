import { checkComplete, type TopicPartition } from '../complete-answer.ts';
import { untilSettled } from '../until-settled.ts';
import { judgeKafkajs } from './errors.ts';
import type { CoordinatorOf, InnerBroker } from './inner-cluster.ts';
import type { KeptCoordinators } from './kept-coordinators.ts';

const STEPS = ['initProducerId', 'addPartitionsToTxn', 'addOffsetsToTxn', 'txnOffsetCommit', 'endTxn'] as const;
type Step = (typeof STEPS)[number];
export type Coordinator = Pick<InnerBroker, Step>;

/** The end of the transaction before takes some milliseconds more than its answer, a coordinator that starts a second. */
const PATIENCE_MS = 2_000;
const NEVER = new AbortController().signal;

/**
 * A coordinator for the steps of a transaction: asked again while it says that it is busy, and looked for again when it may
 * be another one by now. kafkajs by itself repeats a step only together with the records that go with it, and may leave
 * some out then (0007).
 */
export function patientCoordinator(coordinators: KeptCoordinators, what: CoordinatorOf): Coordinator {
  const ask = async (step: Step, request: object): Promise<unknown> => {
    try {
      const coordinator = await coordinators.find(what);
      const answer = await coordinator[step](request);
      if (step === 'txnOffsetCommit') checkComplete(partitionsOf(request), partitionsOf(answer));
      return answer;
    } catch (thrown) {
      if (!isStillEnding(thrown)) coordinators.forget();
      throw thrown;
    }
  };
  const patiently = (step: Step) => (request: object) =>
    untilSettled({
      ask: () => ask(step, request),
      judge: (thrown) => judgeKafkajs(thrown, { topic: '', brokers: [] }),
      deadlineMs: PATIENCE_MS,
      signal: NEVER,
    });
  return Object.fromEntries(STEPS.map((step) => [step, patiently(step)])) as unknown as Coordinator;
}

/** Of TxnOffsetCommit, and of its answer. */
function partitionsOf(message: unknown): TopicPartition[] {
  const { topics } = message as { topics: readonly { topic: string; partitions: readonly { partition: number }[] }[] };
  return topics.flatMap(({ topic, partitions }) => partitions.map(({ partition }) => ({ topic, partition })));
}

/** The transaction before. It is the right coordinator that says so. */
function isStillEnding(thrown: unknown): boolean {
  return thrown instanceof Error && 'type' in thrown && thrown.type === 'CONCURRENT_TRANSACTIONS';
}
