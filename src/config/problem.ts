import { SluiceError } from '../core/errors.ts';

/** One thing that is wrong with a configuration file. Line and column count from 1; 0 and no path: the file as a whole. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
  /** When it is not the configuration file itself, but one that it names. */
  readonly file?: string;
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
  const place = problem.line === 0 ? '' : `:${problem.line}:${problem.column}`;
  const path = problem.path === '' ? '' : `${problem.path}: `;
  return `${problem.file ?? file}${place}: ${path}${problem.message}`;
}
