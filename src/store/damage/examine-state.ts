import { existsSync } from 'node:fs';
import { refuseNewer } from '../format.ts';
import { STATE_NOTES } from '../notes.ts';
import { defineRowSum } from '../row-sum.ts';
import { lookAt } from '../sqlite.ts';
import { describeRows, findDamagedRows, hasRightIndexes, problemOf } from '../state/damaged-rows.ts';
import { STATE_MIGRATIONS } from '../state/schema.ts';
import { type Finding, findingsOf, headProblemOf, walProblemsOf } from './finding.ts';
import { END_IS_GONE, generationOfCopy, isUsable, LACKS_END, NO_COPY } from './good-copy.ts';
import type { LogNotes } from './log-notes.ts';
import { readAllMeta, readMeta } from './read-meta.ts';

/** What a start would find wrong with `state.db`, and what that would then know of the log. */
export interface ExaminedState {
  readonly findings: readonly Finding[];
  readonly notes: LogNotes;
}

/** The copy first: a gateway that runs makes it behind the file. `newest`: the generation that the log has noted. */
export function examineState(file: string, isKnown: boolean, newest: number): ExaminedState {
  const good = `${file}.good`;
  const [hasCopy, generation] = [isUsable(good), generationOfCopy(good)];
  const instead = hasCopy ? 'its copy takes its place' : NO_COPY;
  if (!existsSync(file)) {
    const kind = hasCopy || isKnown ? 'repair' : 'note';
    const text = kind === 'note' ? 'it does not exist; the next start makes a new one' : `it is gone; ${instead}`;
    return { findings: [{ file, kind, text }], notes: notesOf(good) };
  }
  let isReplaced = hasCopy;
  const findings = findingsOf(file, () => {
    const problem = headProblemOf(file) ?? problemOfFile(file);
    if (problem !== null) return [`it is damaged: ${problem}; ${instead}`];
    const own = Number(readMeta(file, STATE_NOTES.generation) ?? 0);
    if (hasCopy && generation > own) return [`${LACKS_END}; ${instead}`];
    isReplaced = false;
    const rows = rowProblemsOf(file);
    return rows.length === 0 && newest > own ? [END_IS_GONE] : rows;
  });
  findings.push(...walProblemsOf(`${file}-wal`).map((text) => ({ file, kind: 'repair' as const, text })));
  return { findings, notes: notesOf(isReplaced && findings.length > 0 ? good : file) };
}

function problemOfFile(file: string): string | null {
  return lookAt(file, (db) => {
    refuseNewer(db, file, STATE_MIGRATIONS);
    defineRowSum(db);
    return problemOf(db);
  });
}

function rowProblemsOf(file: string): readonly string[] {
  return lookAt(file, (db) => {
    defineRowSum(db);
    const rows = describeRows(findDamagedRows(db)).map((problem) => `it is damaged: ${problem}`);
    return hasRightIndexes(db) ? rows : [...rows, 'it is damaged: rows stand where no search finds them'];
  });
}

/** As of this moment: a gateway that runs notes what is in the log already. */
function notesOf(file: string): LogNotes {
  const notes = readAllMeta(file);
  return { noted: (name) => notes.get(name), seenUpTo: () => Number(notes.get('seen_up_to') ?? 0) };
}
