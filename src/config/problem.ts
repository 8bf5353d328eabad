import { SluiceError } from '../core/errors.ts';

/** One thing that is wrong with a configuration file. Line and column count from 1; path is empty for the whole file. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
}

/** Everything that is wrong, at once. */
export class ConfigError extends SluiceError {
  readonly file: string;
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[]) {
    super(`${file}: ${problems.length === 1 ? 'one problem' : `${problems.length} problems`}`, {
      code: 'invalid_config',
      hint: 'mend the configuration file, then try again',
    });
    this.file = file;
    this.problems = problems;
  }
}

/** `sluice.yaml:12:5: uplinks[0].brokers: is required`: one line, as compilers write it. */
export function problemLine(file: string, problem: Problem): string {
  const path = problem.path === '' ? '' : `${problem.path}: `;
  return `${file}:${problem.line}:${problem.column}: ${path}${problem.message}`;
}
