import { setTimeout as delay } from 'node:timers/promises';
import { publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

/** One whose retained messages are records, one that is refused as a record, one that no route knows. */
const TOPICS = ['devices/kept/telemetry', 'devices/kept/telemetry/t', 'devices/kept/state/reported', 'house/kept'];
const PAUSE_MS = 5;

/** Publishes growing numbers as retained messages, and looks after each kill whether they are the last ones. */
export class RetainedPublisher {
  readonly #port: number;
  readonly #sent = new Map<string, number>();
  readonly #acknowledged = new Map<string, number>();
  /** Acknowledged since the last start. */
  readonly #fresh = new Set<string>();
  #loop: Promise<void> = Promise.resolve();
  #running = false;
  #number = 0;
  checkCount = 0;
  wrongCount = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** Resolves when every topic has got a message that was acknowledged. */
  async start(): Promise<void> {
    await this.#loop;
    this.#running = true;
    this.#fresh.clear();
    this.#loop = this.#publishForEver();
    await waitFor(() => this.#fresh.size === TOPICS.length, { what: 'retained messages', timeoutMs: 30_000 });
  }

  /** Nothing new: what is retained from now on was retained before. */
  stop(): void {
    this.#running = false;
  }

  /** Counts what is retained and older than what was acknowledged last, or was never sent. */
  async check(): Promise<void> {
    const acknowledged = this.#acknowledged;
    const client = await RawClient.connected(this.#port, { clientId: 'looks-at-retained' });
    await client.subscribe(...TOPICS.map((topic) => [topic, 0] as const));
    const found = () => new Map(client.messages().map(numberOf));
    // The gateway is still reading them; one that does not come is wrong.
    const isComplete = () => [...acknowledged.keys()].every((topic) => found().has(topic));
    await waitFor(isComplete, { what: 'what is retained', timeoutMs: 5_000 }).catch(() => undefined);
    const numbers = found();
    client.disconnect();
    for (const [topic, number] of acknowledged) {
      this.checkCount += 1;
      const is = numbers.get(topic) ?? 0;
      if (is < number || is > (this.#sent.get(topic) ?? 0)) this.wrongCount += 1;
    }
  }

  async #publishForEver(): Promise<void> {
    while (this.#running) {
      await this.#publishUntilBroken().catch(() => undefined);
      await delay(PAUSE_MS);
    }
  }

  async #publishUntilBroken(): Promise<void> {
    const client = await RawClient.connected(this.#port, { clientId: 'retained-publisher' });
    while (this.#running && !client.closed) {
      this.#number += 1;
      const topic = TOPICS[this.#number % TOPICS.length] ?? '';
      const payload = topic.endsWith('/t') || topic.startsWith('house') ? `${this.#number}` : `{"n":${this.#number}}`;
      this.#sent.set(topic, this.#number);
      client.send(publishBytes({ topic, payload, qos: 1, packetId: 1, retain: true }));
      const isAcknowledged = await client.acknowledged(1);
      if (!isAcknowledged) continue;
      this.#acknowledged.set(topic, this.#number);
      this.#fresh.add(topic);
    }
    client.break();
  }
}

function numberOf(message: string): readonly [topic: string, number: number] {
  const [topic = '', payload = ''] = message.split(' ');
  return [topic, Number(/\d+/.exec(payload))];
}
