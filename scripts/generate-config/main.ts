/** Makes what people read about the options from the schema: `npm run generate:config`. */

import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { generatedFiles } from './generated-files.ts';

const root = resolve(import.meta.dirname, '../..');
for (const { file, text } of generatedFiles((name) => readFileSync(resolve(root, name), 'utf8'))) {
  writeFileSync(resolve(root, file), text);
}
