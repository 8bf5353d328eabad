import { writeFileSync } from 'node:fs';

/** A file that stands beside one of which a read or a write said that it is damaged: the next start replaces it. */
export function suspectMark(file: string): string {
  return `${file}.suspect`;
}

export function markSuspect(file: string): void {
  writeFileSync(suspectMark(file), '');
}

/** For readers: this process can only go on with a part of the file, the next one with all that can be read of it. */
export function endThreadAsDamaged(file: string): (error: unknown) => void {
  return (error) => {
    markSuspect(file);
    setImmediate(() => {
      throw error;
    });
  };
}
