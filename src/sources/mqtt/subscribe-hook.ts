import type { Subscription } from 'aedes';
import { type Identity, maySubscribe } from './access.ts';
import type { DenialLog, Denied } from './denial-log.ts';
import { LIMITS } from './options.ts';
import { isSessionMark } from './persistence.ts';
import { isValidFilter, levelCount } from './topics.ts';

/** Who subscribes. */
export interface Subscriber {
  readonly clientId: string;
  readonly identity: Identity;
}

/** Judges subscriptions: what is denied is answered with 0x80 [MQTT-3.9.3-1]. */
export class SubscribeHook {
  readonly #denials: DenialLog;
  readonly #maxTopicLevels: number;

  constructor(denials: DenialLog, maxTopicLevels: number) {
    this.#denials = denials;
    this.#maxTopicLevels = maxTopicLevels;
  }

  /** The subscription, or null when it is denied. `subscriptionCount`: what the client has already. */
  judge(subscriber: Subscriber, subscription: Subscription, subscriptionCount: number): Subscription | null {
    const { topic } = subscription;
    const full = subscriptionCount >= LIMITS.subscriptionsPerClient;
    const reason = full ? 'too_many_subscriptions' : this.#denial(subscriber.identity, topic);
    if (reason === null) return subscription;
    const { clientId, identity } = subscriber;
    if (!isSessionMark(topic)) this.#denials.denied({ action: 'subscribe', clientId, identity, topic, reason });
    return null;
  }

  allows(identity: Identity, filter: string): boolean {
    return this.#denial(identity, filter) === null;
  }

  #denial(identity: Identity, filter: string): Denied['reason'] | null {
    if (!isValidFilter(filter)) return 'invalid_filter';
    if (levelCount(filter) > this.#maxTopicLevels) return 'too_many_levels';
    return maySubscribe(identity, filter) ? null : 'not_allowed';
  }
}
