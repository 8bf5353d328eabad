import { FilterTree } from '../../core/filter-tree.ts';
import type { StoredSubscription } from '../../core/session.ts';
import type { ByteBudgetLimits } from './byte-budget.ts';
import { FilterBudget } from './filter-budget.ts';
import type { Session, Subscriber } from './session.ts';

/** What the sessions subscribed to, within what their topic filters may take in memory. */
export class SessionSubscriptions {
  readonly #budget: FilterBudget;
  /** Subscriptions with QoS 1 and 2 only: nothing is kept for QoS 0. */
  readonly #tree = new FilterTree<Subscriber>();

  constructor(limits: ByteBudgetLimits) {
    this.#budget = new FilterBudget(limits);
  }

  /** Whether the session may have the filter, or has it already. */
  hasRoom({ owner, subscriptions }: Session, filter: string): boolean {
    return subscriptions.has(filter) || this.#budget.hasRoom(owner, filter);
  }

  add(session: Session, { topic, ...options }: StoredSubscription): void {
    this.remove(session, topic);
    const subscriber = { session, ...options };
    session.subscriptions.set(topic, subscriber);
    this.#budget.take(session.owner, topic);
    if (options.qos > 0) this.#tree.add(topic, subscriber);
  }

  /** True when there was room for all of them. */
  addAll(session: Session, subscriptions: readonly StoredSubscription[]): boolean {
    for (const subscription of subscriptions) {
      if (!this.hasRoom(session, subscription.topic)) return false;
      this.add(session, subscription);
    }
    return true;
  }

  remove(session: Session, topic: string): void {
    const subscriber = session.subscriptions.get(topic);
    if (subscriber === undefined) return;
    session.subscriptions.delete(topic);
    this.#budget.give(session.owner, topic);
    this.#tree.remove(topic, subscriber);
  }

  removeAll(session: Session): void {
    for (const topic of [...session.subscriptions.keys()]) this.remove(session, topic);
  }

  /** Who keeps messages of a topic; once for each filter that matches. */
  match(topic: string): readonly Subscriber[] {
    return this.#tree.match(topic);
  }
}
