import { ifReadable } from '../if-readable.ts';
import { LOG_NOTES, notedIn, STATE_NOTES } from '../notes.ts';
import { lookAt } from '../sqlite.ts';

/** What a file of the store notes in `meta`; undefined also when it cannot be read. */
export function readMeta(file: string, name: string): string | undefined {
  return ifReadable(() => lookAt(file, (db) => notedIn(db, name)));
}

/** The same of everything; nothing when it cannot be read. */
export function readAllMeta(file: string): ReadonlyMap<string, string> {
  const select = 'SELECT name, value FROM meta';
  const rows = ifReadable(() => lookAt(file, (db) => db.prepare<[], [string, string]>(select).raw().all()));
  return new Map(rows ?? []);
}

/** Until it is taken over `state.db` knows of it, from then on the new log. */
export function isSalvageUnfinished(logFile: string, stateFile: string): boolean {
  return (
    readMeta(logFile, LOG_NOTES.salvage) !== undefined || readMeta(stateFile, STATE_NOTES.logSalvage) !== undefined
  );
}
