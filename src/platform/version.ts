import { readFileSync } from 'node:fs';

/** `package.json` stands two folders above this file, in `src` as in the built tree. */
const PACKAGE = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

export const VERSION: string = PACKAGE.version;
