/** By then the modules are loaded, and whoever waited for the start was served. */
const SETTLED_MS = 2_000;

/**
 * Gives back what loading the program took in this thread: V8 would keep it, grown to its limit, until there is enough
 * other garbage. Once, a tenth of a second long on a slow machine, two seconds from now. Needs Node.js' `--expose-gc`;
 * without it nothing happens.
 */
export function giveBackStartMemory(): void {
  setTimeout(giveBackMemory, SETTLED_MS).unref();
}

/** What is garbage in this thread goes back to the system: a pause of a tenth of a second on a slow machine. */
export function giveBackMemory(): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
