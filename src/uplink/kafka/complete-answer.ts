import { SluiceError } from '../../core/errors.ts';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/**
 * Both client libraries take an answer to Produce, or to TxnOffsetCommit, that says nothing of a partition for a yes: what
 * was sent there would count as delivered, or the position as moved.
 * @throws SluiceError `incomplete_answer` unless each partition is spoken of
 */
export function checkComplete(sent: Iterable<TopicPartition>, answered: Iterable<TopicPartition>): void {
  const known = new Set(Array.from(answered, nameOf));
  for (const { topic, partition } of sent) {
    if (known.has(nameOf({ topic, partition }))) continue;
    throw new SluiceError(`Kafka's answer says nothing of partition ${partition} of ${topic}`, {
      code: 'incomplete_answer',
      retryable: true,
      hint: 'it is sent again; check that brokers names Kafka itself, and nothing that changes what it says',
    });
  }
}

/**
 * kafkajs may know one broker as two, when a connection to it ended in the middle of a request, and then sends what is the
 * broker's own over both, with sequence numbers that do not show it.
 * @throws SluiceError `answered_twice` when a partition is spoken of more than once
 */
export function checkOnce(answered: Iterable<TopicPartition>): void {
  const known = new Set<string>();
  for (const { topic, partition } of answered) {
    const name = nameOf({ topic, partition });
    if (known.has(name)) {
      throw new SluiceError(`partition ${partition} of ${topic} was sent to twice`, {
        code: 'answered_twice',
        retryable: true,
      });
    }
    known.add(name);
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
