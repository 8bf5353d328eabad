import { SluiceError } from '../../../core/errors.ts';
import type { Stream } from '../../../core/stream.ts';
import type { Logger } from '../../../platform/logger.ts';
import type { Bounds } from '../../bounded.ts';
import type { CheckContext, CheckName, Report } from '../../check/report.ts';
import type { KafkaUplinkOptions, NewTopicOptions } from '../../options.ts';
import { readLogin, readTls, type TlsIdentity } from '../credentials.ts';
import type { JudgeContext } from '../judgement.ts';
import { judgeKafkajs } from '../kafkajs/errors.ts';
import { Inspector } from '../kafkajs/inspector.ts';
import type { ClusterView, TopicView } from '../kafkajs/metadata-request.ts';
import { renderTemplate } from '../template.ts';
import { transactionName } from '../transaction-name.ts';
import { checkBroker } from './broker-check.ts';
import { checkSettings } from './topic-check.ts';

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT,
};
const BROKER_DEFAULTS: NewTopicOptions = { partitions: -1, replicationFactor: -1 };

type FaultContext = Pick<JudgeContext, 'isCreating' | 'name'>;

/** Everything that must be right between this machine and the topics, in the order in which it is needed. */
export async function checkKafka(options: KafkaUplinkOptions, context: CheckContext, report: Report): Promise<void> {
  await new KafkaCheck(options, context, report).run();
}

class KafkaCheck {
  readonly #options: KafkaUplinkOptions;
  readonly #context: CheckContext;
  readonly #report: Report;
  readonly #topics: ReadonlyMap<string, readonly Stream[]>;
  readonly #bounds: Bounds;

  constructor(options: KafkaUplinkOptions, context: CheckContext, report: Report) {
    this.#options = options;
    this.#context = context;
    this.#report = report;
    this.#topics = topicsOf(options, context);
    this.#bounds = { deadlineMs: options.requestTimeout, signal: new AbortController().signal };
  }

  async run(): Promise<void> {
    const tls = this.#readFiles();
    if (tls === null) return;
    const { brokers } = this.#options;
    const reached = await this.#checkBrokers(brokers, tls);
    if (!reached.some(Boolean)) return;
    const inspector = new Inspector({ ...this.#options, clientId: 'sluice-check', logger: SILENT });
    try {
      const view = await this.#logIn(inspector);
      if (view === undefined) return;
      const named = view.brokers.filter((broker) => !brokers.includes(broker));
      await this.#checkBrokers(named, tls);
      const byName = new Map(view.topics.map((topic) => [topic.name, topic]));
      const topics = [...this.#topics.keys()].flatMap((name) => byName.get(name) ?? []);
      for (const topic of topics) await this.#checkTopic(inspector, topic);
      if (this.#options.delivery === 'exactly_once') await this.#checkTransactions(inspector, byName);
    } finally {
      inspector.close();
    }
  }

  /** Null when a file cannot be used. */
  #readFiles(): TlsIdentity | undefined | null {
    const { tls, sasl } = this.#options;
    try {
      if (sasl !== false) readLogin(sasl);
      return tls === false ? undefined : readTls(tls === true ? {} : tls);
    } catch (error) {
      this.#report.fail('files', 'tls, sasl', error);
      return null;
    }
  }

  async #checkBrokers(addresses: readonly string[], tls: TlsIdentity | undefined): Promise<readonly boolean[]> {
    const { connectionTimeout: deadlineMs } = this.#options;
    const report = this.#report;
    return await Promise.all(addresses.map((address) => checkBroker({ address, tls, deadlineMs, report })));
  }

  async #logIn(inspector: Inspector): Promise<ClusterView | undefined> {
    const { brokers, connectionTimeout, sasl } = this.#options;
    const target = brokers.join(', ');
    const deadlineMs = connectionTimeout * brokers.length + this.#bounds.deadlineMs;
    return await this.#attempt('login', target, async () => {
      await inspector.connect({ ...this.#bounds, deadlineMs });
      const view = await inspector.look([...this.#topics.keys()], this.#bounds);
      const how = sasl === false ? 'no login is asked for' : `${sasl.mechanism}${userOf(sasl.username)} is let in`;
      this.#report.ok('login', target, `${how}; the cluster has ${counted(view.brokers.length, 'broker')}`);
      return view;
    });
  }

  async #checkTopic(inspector: Inspector, topic: TopicView): Promise<void> {
    const { name, error, partitionCount, leaderlessCount, operations } = topic;
    const report = this.#report;
    if (error !== null) {
      await this.#checkMissing(inspector, topic, error);
      return;
    }
    if (leaderlessCount === 0) report.ok('topic', name, `has ${counted(partitionCount, 'partition')}`);
    else
      report.fail(
        'topic',
        name,
        `${leaderlessCount} of ${counted(partitionCount, 'partition')} without a leader: look at the brokers`,
      );
    if (operations.canWrite) report.ok('write', name, 'is allowed');
    else report.fail('write', name, notAllowed(name, 'Write'));
    if (!operations.canDescribeConfigs) {
      const hint = `let this user DescribeConfigs the topic ${name} for this check; the gateway does not need it`;
      report.warn('retention', name, 'retention, compaction and size limit are not shown to this user', hint);
      return;
    }
    const settings = await this.#attempt('retention', name, () => inspector.settings(name, this.#bounds));
    const streams = this.#topics.get(name) ?? [];
    const check = { topic, streams, options: this.#options, context: this.#context, report };
    if (settings !== undefined) checkSettings(check, settings);
  }

  /** What each lane needs beside its topics: its name at Kafka, and the position in its stream's topic. */
  async #checkTransactions(inspector: Inspector, byName: ReadonlyMap<string, TopicView>): Promise<void> {
    const { name: uplink, streams, topics } = this.#options;
    const { gatewayId: gateway } = this.#context;
    for (const stream of streams) {
      const name = transactionName(gateway, uplink, { stream });
      const attempt = async (): Promise<true> => {
        await inspector.tryTransaction(name, this.#bounds);
        return true;
      };
      const isAllowed = await this.#attempt('transaction', name, attempt, { name });
      if (isAllowed === true) this.#report.ok('transaction', name, 'is allowed, and so is the group of this name');
      const topic = byName.get(renderTemplate(topics[stream], { gateway, stream }));
      if (topic?.error !== null) continue;
      if (topic.operations.canRead) this.#report.ok('read', topic.name, 'is allowed');
      else this.#report.fail('read', topic.name, notAllowed(topic.name, 'Read'));
    }
  }

  async #checkMissing(inspector: Inspector, { name }: TopicView, error: Error): Promise<void> {
    const { createTopics } = this.#options;
    const isMissing = 'type' in error && error.type === 'UNKNOWN_TOPIC_OR_PARTITION';
    if (createTopics === false || !isMissing) {
      this.#report.fail('topic', name, this.#explained(error, name));
      return;
    }
    const how = createTopics === true ? BROKER_DEFAULTS : createTopics;
    const attempt = async (): Promise<true> => {
      await inspector.tryToCreate(name, how, this.#bounds);
      return true;
    };
    const isAllowed = await this.#attempt('topic', name, attempt, { isCreating: true });
    if (isAllowed === true) this.#report.ok('topic', name, 'does not exist; the gateway may make it');
  }

  /** Undefined when it failed, which is reported. */
  async #attempt<T>(
    step: CheckName,
    target: string,
    work: () => Promise<T>,
    context: FaultContext = {},
  ): Promise<T | undefined> {
    try {
      return await work();
    } catch (thrown) {
      this.#report.fail(step, target, this.#explained(thrown, target, context));
      return undefined;
    }
  }

  #explained(thrown: unknown, topic: string, context: FaultContext = {}): unknown {
    const judgement = judgeKafkajs(thrown, { topic, brokers: this.#options.brokers, ...context });
    return judgement.kind === 'failure' || judgement.kind === 'topic' ? judgement.error : thrown;
  }
}

/** All topics that records may go to, each with its streams. */
function topicsOf(
  { streams, topics }: KafkaUplinkOptions,
  context: CheckContext,
): ReadonlyMap<string, readonly Stream[]> {
  const { gatewayId: gateway, routes } = context;
  const destinations = streams.flatMap((stream) => {
    const routed = routes
      .filter((route) => route.stream === stream)
      .map(({ kafkaTopic }) => kafkaTopic ?? topics[stream]);
    const names = [topics[stream], ...routed].map((template) => renderTemplate(template, { gateway, stream }));
    return [...new Set(names)].map((topic) => ({ topic, stream }));
  });
  const byTopic = Map.groupBy(destinations, ({ topic }) => topic);
  return new Map([...byTopic].map(([topic, list]) => [topic, list.map(({ stream }) => stream)]));
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

function userOf(username: string | undefined): string {
  return username === undefined ? '' : ` as ${username}`;
}

function notAllowed(topic: string, operation: 'Read' | 'Write'): SluiceError {
  const hint = `let this user ${operation} the topic ${topic}`;
  return new SluiceError('is not allowed', { code: 'not_allowed', hint });
}
