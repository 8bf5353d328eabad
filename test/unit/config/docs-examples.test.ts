import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configOf } from '../../support/config-text.ts';

const DOCS = resolve(import.meta.dirname, '../../../docs');

const examplesOf = (page: string): readonly string[] =>
  [...readFileSync(resolve(DOCS, page), 'utf8').matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = '']) => yaml);

describe.each(['arduino.md', 'coming-from.md', 'formats.md', 'kafka.md', 'serial.md'])(
  'every configuration in docs/%s',
  (page) => {
    it.each(examplesOf(page).map((yaml) => [yaml.trim().split('\n').slice(0, 3).join(' '), yaml]))(
      'is good: %s',
      (_, yaml) => {
        expect(configOf(yaml).warnings).toEqual([]);
      },
    );
  },
);
