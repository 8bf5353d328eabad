export type Environment = Readonly<Record<string, string | undefined>>;

export interface Replaced {
  readonly text: string;
  readonly problems: readonly string[];
}

/** A default may hold placeholders of its own: `${KEY:-{gateway}/{device}}`. */
const MARK = /\$\$|\$\{((?:[^{}]|\{[^{}]*\})*)(\}?)/g;
const INSIDE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/** Puts the environment into `${NAME}` and `${NAME:-default}` (unset or empty), and a dollar for `$$`. Not recursive. */
export function replaceVariables(text: string, env: Environment): Replaced {
  const problems: string[] = [];
  const replaced = text.replace(MARK, (whole: string, inside: string | undefined, end: string | undefined) => {
    if (inside === undefined) return '$';
    const [, name, byDefault] = (end === '}' && INSIDE.exec(inside)) || [];
    if (name === undefined) {
      problems.push(`is no variable: write \${NAME} or \${NAME:-default}, or $\${ for the characters themselves`);
      return whole;
    }
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value === undefined && byDefault === undefined) {
      problems.push(`the environment variable ${name} is not set: set it, or write \${${name}:-default}`);
    }
    return value || (byDefault ?? '');
  });
  return { text: replaced, problems };
}
