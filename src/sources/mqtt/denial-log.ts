import { ownText } from '../../core/own-copy.ts';
import { printable } from '../../core/printable.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Identity } from './access.ts';

export interface Denied {
  readonly action: 'publish' | 'subscribe';
  readonly clientId: string;
  readonly identity: Identity;
  readonly topic: string;
  readonly reason:
    | 'not_allowed'
    | 'too_many_levels'
    | 'too_long'
    | 'too_many_subscriptions'
    | 'no_room'
    | 'invalid_filter';
}

const MAX_CLIENTS = 1_000;
const MAX_TOPICS_PER_CLIENT = 16;
const MAX_TOPIC_LENGTH = 200;

/** One line per client and topic, however often it tries; a client that tries many topics is cut short. */
export class DenialLog {
  readonly #logger: Logger;
  readonly #told = new Map<string, Set<string>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  denied({ action, clientId, identity, topic, reason }: Denied): void {
    const told = this.#topicsOf(clientId);
    const key = ownText(`${action} ${topic.slice(0, MAX_TOPIC_LENGTH)}`);
    if (told.size > MAX_TOPICS_PER_CLIENT || told.has(key)) return;
    told.add(key);
    const fields = { clientId: printable(clientId), device: identity };
    if (told.size > MAX_TOPICS_PER_CLIENT) {
      this.#logger.warn(fields, 'MQTT client is denied many topics: no more of them are logged');
      return;
    }
    this.#logger.warn({ ...fields, topic: printable(topic, MAX_TOPIC_LENGTH), reason }, `MQTT ${action} denied`);
  }

  #topicsOf(clientId: string): Set<string> {
    const known = this.#told.get(clientId);
    if (known !== undefined) return known;
    for (const oldest of this.#told.keys()) {
      if (this.#told.size < MAX_CLIENTS) break;
      this.#told.delete(oldest);
    }
    const topics = new Set<string>();
    this.#told.set(clientId, topics);
    return topics;
  }
}
