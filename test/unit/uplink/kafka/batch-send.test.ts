import { describe, expect, it } from 'vitest';
import { BatchSend, type BatchSendParts } from '../../../../src/uplink/kafka/batch-send.ts';
import type { Judgement } from '../../../../src/uplink/kafka/judgement.ts';
import type { KafkaClient, TopicMessages } from '../../../../src/uplink/kafka/kafka-client.ts';
import { RequestLimit } from '../../../../src/uplink/kafka/request-limit.ts';
import { createTarget, type Target } from '../../../../src/uplink/kafka/target.ts';
import { MemoryLogger } from '../../../support/memory-logger.ts';
import { storedRecord } from '../../../support/stored-record.ts';
import { IDENTITY, kafkaOptions, upstreamParts } from '../../../support/uplink-options.ts';

const REFUSED: Judgement = { kind: 'timestamp' };
const CLIENT: Pick<KafkaClient, 'judge'> = { judge: (thrown) => thrown as Judgement };
const OBSERVED_AT = Date.UTC(2026, 0, 2);
const RECORDS = [1, 2].map((seq) => storedRecord(seq, { observedAt: OBSERVED_AT }));

const targetOf = (topic: string): Target =>
  createTarget('telemetry', topic, kafkaOptions({ timestamp: 'observed' }), { ...IDENTITY, ...upstreamParts() });

/** Sends one record to each topic, in one request; what the topics got with each one: `observed`, `sent` or `none`. */
async function send(targets: readonly [Target, Target], refusals: number) {
  const logger = new MemoryLogger();
  const attempts: string[][] = [];
  const kindOf = (timestamp = ''): string =>
    timestamp === '-1' ? 'none' : timestamp === String(OBSERVED_AT) ? 'observed' : 'sent';
  const parts: BatchSendParts = {
    client: CLIENT as KafkaClient,
    brokers: [],
    logger,
    targetOf: ({ seq }) => targets[seq === 1 ? 0 : 1],
    requestLimit: new RequestLimit(1 << 20),
    onTopicRefused: () => undefined,
    deliver: async (sent: readonly TopicMessages[]) => {
      attempts.push(sent.map(({ messages }) => kindOf(messages[0]?.timestamp)));
      if (attempts.length <= refusals) throw REFUSED;
    },
  };
  const options = { deadlineMs: 10_000, signal: new AbortController().signal };
  const outcome = await new BatchSend(parts, RECORDS, options).run(0);
  return { attempts, outcome, topics: logger.lines.map(({ fields }) => fields['topics']) };
}

describe('a batch for two topics of which one refuses the times', () => {
  it('gives up observed times, then those of sending, then is blocked', async () => {
    const { attempts, outcome, topics } = await send([targetOf('a'), targetOf('b')], 3);
    expect(attempts).toEqual([
      ['observed', 'observed'],
      ['sent', 'sent'],
      ['none', 'none'],
    ]);
    expect(outcome).toMatchObject({ upTo: 0, error: { code: 'invalid_timestamp', retryable: false } });
    expect(topics).toEqual([['a', 'b']]);
  });

  it('leaves the time of sending to a topic that may be content with it', async () => {
    const targets = [targetOf('a'), targetOf('b')] as const;
    targets[0].time.fallBack(performance.now());
    const { attempts, outcome, topics } = await send(targets, 1);
    expect(attempts).toEqual([
      ['sent', 'observed'],
      ['sent', 'sent'],
    ]);
    expect(outcome).toMatchObject({ upTo: 2, error: null });
    expect(topics).toEqual([]);
  });
});
