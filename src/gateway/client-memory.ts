import { giveBackMemory } from '../platform/start-memory.ts';

/** What clients left behind is given back in the threads that held it: this one, and that of the store. */
export function giveBackClientMemory(store: { giveBackMemory(): Promise<void> }): void {
  giveBackMemory();
  // A store that is gone ends the process, and is told elsewhere.
  store.giveBackMemory().catch(() => undefined);
}
