import { SluiceError } from '../../core/errors.ts';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/**
 * Both client libraries take an answer to Produce that says nothing of a partition for a yes: what was sent there would
 * count as delivered.
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

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
