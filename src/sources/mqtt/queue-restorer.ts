import type { QueuePage, QueuePosition } from '../../core/session.ts';
import type { SessionStore } from '../../core/state-store.ts';
import type { SessionMessages } from './session-messages.ts';

const PAGE = 500;

/**
 * Brings back what waited for sessions when the gateway stopped. A message that is a record of a damaged log has its place
 * at once, and its content when that log is put back.
 */
export class QueueRestorer {
  readonly #store: Pick<SessionStore, 'loadQueues' | 'salvaged'>;
  readonly #messages: SessionMessages;

  constructor(store: Pick<SessionStore, 'loadQueues' | 'salvaged'>, messages: SessionMessages) {
    this.#store = store;
    this.#messages = messages;
  }

  /** Every message has its place when it resolves. */
  async start(): Promise<void> {
    let isAwaited = false;
    await this.#read(({ messages }) => {
      if (this.#messages.restore(messages)) isAwaited = true;
    });
    // It can only fail when the store is gone, and the process with it.
    if (isAwaited) this.#complete().catch(() => undefined);
  }

  async #complete(): Promise<void> {
    await this.#store.salvaged();
    await this.#read(({ messages }) => this.#messages.complete(messages));
    this.#messages.giveUpAwaited();
  }

  async #read(take: (page: QueuePage) => void): Promise<void> {
    for (let after: QueuePosition | null = { place: 0, session: 0 }; after !== null; ) {
      const page: QueuePage = await this.#store.loadQueues(after, PAGE);
      take(page);
      after = page.upTo;
    }
  }
}
