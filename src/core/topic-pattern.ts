/** A topic filter with names for what its wildcards match: `plant/+line/+device/#metric`. */
export interface TopicPattern {
  /** As MQTT 3.1.1 §4.7 has it, without the names. */
  readonly filter: string;
  /** Name → level that it captures; a name of `#` captures that level and all behind it. */
  readonly captures: ReadonlyMap<string, number>;
  /** The name of `#`, when it has one. */
  readonly rest: string | null;
}

const WILDCARD = /^([+#])([A-Za-z][A-Za-z0-9_]{0,31})?$/;

/** The pattern, or what is wrong with the text. */
export function parseTopicPattern(text: string): TopicPattern | string {
  if (text === '' || text.length > 1000 || text.includes('\0'))
    return 'must be a topic filter of 1 to 1,000 characters';
  const levels = text.split('/');
  const captures = new Map<string, number>();
  let rest: string | null = null;
  const filter: string[] = [];
  for (const [index, level] of levels.entries()) {
    const [, wildcard, name] = WILDCARD.exec(level) ?? [];
    if (wildcard === undefined && /[+#]/.test(level)) {
      return 'has + or # within a level: a wildcard is a level of its own, with or without a name (+device, #rest)';
    }
    if (wildcard === '#' && index < levels.length - 1) return 'has # before its end';
    if (name !== undefined && captures.has(name)) return `has the name ${name} twice`;
    if (name !== undefined) captures.set(name, index);
    if (wildcard === '#') rest = name ?? null;
    filter.push(wildcard ?? level);
  }
  return { filter: filter.join('/'), captures, rest };
}

/** What the names stand for in a topic that the filter matches; levels behind `#` with dots between. */
export function capture({ captures, rest }: TopicPattern, topic: string): ReadonlyMap<string, string> {
  const levels = topic.split('/');
  const values = [...captures].map(([name, level]): [string, string] => [
    name,
    name === rest ? levels.slice(level).join('.') : (levels[level] ?? ''),
  ]);
  return new Map(values);
}
