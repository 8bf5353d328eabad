const PLACEHOLDER = /\{([^{}]*)\}/g;

/** The names in braces of a template, in order. */
export function placeholdersOf(template: string): readonly string[] {
  return [...template.matchAll(PLACEHOLDER)].map(([, name = '']) => name);
}

/** The template with every `{name}` replaced; with nothing where a name has no value. */
export function fill(template: string, values: ReadonlyMap<string, string>): string {
  return template.replace(PLACEHOLDER, (_, name: string) => values.get(name) ?? '');
}
