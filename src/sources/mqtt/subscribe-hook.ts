import type { Subscription } from 'aedes';
import type { StoredSubscription } from '../../core/session.ts';
import type { Access, Identity } from './access.ts';
import type { DenialLog, Denied } from './denial-log.ts';
import { FilterBudget } from './filter-budget.ts';
import { LIMITS } from './options.ts';
import { isSessionMark } from './persistence.ts';
import { isValidFilter, levelCount } from './topics.ts';

/** Who subscribes; one per connection. */
export interface Subscriber {
  readonly clientId: string;
  readonly identity: Identity;
}

interface Granted {
  readonly filters: Set<string>;
  /** What the session does not know yet. */
  fresh: StoredSubscription[];
}

/** Judges subscriptions: what is denied is answered with 0x80 [MQTT-3.9.3-1]. */
export class SubscribeHook {
  readonly #access: Access;
  readonly #denials: DenialLog;
  readonly #maxTopicLevels: number;
  readonly #granted = new WeakMap<Subscriber, Granted>();
  /** Of connections; sessions that are kept have their own. */
  readonly #budget = new FilterBudget({ maxBytes: LIMITS.filterBytes, maxOwnBytes: LIMITS.filterBytesPerDevice });

  constructor(access: Access, denials: DenialLog, maxTopicLevels: number) {
    this.#access = access;
    this.#denials = denials;
    this.#maxTopicLevels = maxTopicLevels;
  }

  /** The subscription, or null when it is denied. `isFresh`: a session that outlives the connection is to learn of it. */
  judge(subscriber: Subscriber, subscription: Subscription, isFresh: boolean): Subscription | null {
    const { topic, qos } = subscription;
    const granted = this.#grantedTo(subscriber);
    const reason = this.#denial(subscriber.identity, topic, granted.filters);
    if (reason !== null) {
      const { clientId, identity } = subscriber;
      if (!isSessionMark(topic)) this.#denials.denied({ action: 'subscribe', clientId, identity, topic, reason });
      return null;
    }
    if (!granted.filters.has(topic)) this.#budget.take(subscriber.identity ?? '', topic);
    granted.filters.add(topic);
    if (isFresh) granted.fresh.push({ topic, qos });
    return subscription;
  }

  unsubscribed(subscriber: Subscriber, filters: readonly string[]): void {
    const granted = this.#grantedTo(subscriber);
    for (const filter of filters) {
      if (granted.filters.delete(filter)) this.#budget.give(subscriber.identity ?? '', filter);
    }
    granted.fresh = granted.fresh.filter(({ topic }) => !filters.includes(topic));
  }

  gone(subscriber: Subscriber): void {
    const granted = this.#grantedTo(subscriber);
    this.unsubscribed(subscriber, [...granted.filters]);
  }

  /** What was granted for a session that is kept since this was asked last. */
  takeFresh(subscriber: Subscriber): readonly StoredSubscription[] {
    const granted = this.#grantedTo(subscriber);
    const { fresh } = granted;
    granted.fresh = [];
    return fresh;
  }

  #grantedTo(subscriber: Subscriber): Granted {
    let granted = this.#granted.get(subscriber);
    if (granted === undefined) {
      granted = { filters: new Set(), fresh: [] };
      this.#granted.set(subscriber, granted);
    }
    return granted;
  }

  #denial(identity: Identity, filter: string, filters: ReadonlySet<string>): Denied['reason'] | null {
    if (filter.length > LIMITS.filterLength) return 'too_long';
    if (!isValidFilter(filter)) return 'invalid_filter';
    if (levelCount(filter) > this.#maxTopicLevels) return 'too_many_levels';
    if (!this.#access.maySubscribe(identity, filter)) return 'not_allowed';
    if (filters.has(filter)) return null;
    if (filters.size >= LIMITS.subscriptionsPerClient) return 'too_many_subscriptions';
    return this.#budget.hasRoom(identity ?? '', filter) ? null : 'no_room';
  }
}
