import { type Loaded, parseConfig } from '../../src/config/load.ts';
import { ConfigError, problemLine } from '../../src/config/problem.ts';
import type { Environment } from '../../src/config/variables.ts';

const FILE = '/etc/sluice/sluice.yaml';

/** The configuration that a text stands for, as if it were `/etc/sluice/sluice.yaml`. */
export function configOf(text: string, env: Environment = {}): Loaded {
  return parseConfig(text, { file: FILE, env });
}

/** What is wrong with a text, as `line:column: path: message`; empty when nothing is. */
export function problemsOf(text: string, env: Environment = {}): readonly string[] {
  try {
    configOf(text, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => problemLine('', problem).slice(1));
  }
}
