/** `{name}` replaced by its value; a name without one stays as it is. */
export function renderTemplate(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (placeholder, name: string) => values[name] ?? placeholder);
}

export function hasPlaceholder(template: string, name: string): boolean {
  return template.includes(`{${name}}`);
}
