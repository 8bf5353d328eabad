import { readFileSync } from 'node:fs';

const DIGITS = /^[0-9a-f]{32}$/;

/** The 32 hexadecimal digits that a file of the system holds; undefined where it holds none. `plain` takes away what else is in it. */
export function readDigits(path: string, plain = (text: string) => text): string | undefined {
  try {
    const digits = plain(readFileSync(path, 'utf8').trim());
    return DIGITS.test(digits) ? digits : undefined;
  } catch {
    return undefined;
  }
}
