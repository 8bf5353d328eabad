import { giveBackMemory } from '../platform/start-memory.ts';

/**
 * What clients left behind is given back in the threads that held it, that of the store and this one: both at once, because
 * an acknowledgement waits for both.
 */
export function giveBackClientMemory(store: { giveBackMemory(): Promise<void> }): void {
  // A store that is gone ends the process, and is told elsewhere.
  store.giveBackMemory().catch(() => undefined);
  giveBackMemory();
}
