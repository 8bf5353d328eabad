import { type OptionNode, optionTree } from './option-tree.ts';
import { inlineYaml } from './yaml-text.ts';

const BEGIN = '<!-- begin of the generated part: npm run generate:config -->';
const END = '<!-- end of the generated part -->';

/** `docs/configuration.md` with its tables of options made anew; what stands around them is kept. */
export function withOptions(page: string): string {
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error(`docs/configuration.md lacks the lines ${BEGIN} and ${END}`);
  return `${before}${BEGIN}\n${optionTree().map(sectionText).join('')}\n${END}${after}`;
}

function sectionText(section: OptionNode): string {
  const tables = section.kinds.map(
    (kind) => `\n### \`type: ${kind.name}\`\n\n${kind.description}\n\n${table(kind.options)}`,
  );
  const own = section.kinds.length > 0 ? tables.join('') : `\n${table(section.options)}`;
  return `\n## \`${section.name}\`\n\n${section.description}\n${own}`;
}

function table(options: readonly OptionNode[]): string {
  return `| option | type, unit | default | what it does |\n|---|---|---|---|\n${rows(options, '').join('')}`;
}

function rows(options: readonly OptionNode[], prefix: string): string[] {
  return options.flatMap((option) => {
    const path = `${prefix}${option.name}`;
    const cells = [`\`${path}\``, typeOf(option), defaultOf(option), option.description].map((cell) =>
      cell.replaceAll('|', '\\|'),
    );
    return [`| ${cells.join(' | ')} |\n`, ...rows(option.options, option.shape === 'list' ? `${path}[].` : `${path}.`)];
  });
}

function typeOf({ shape, type }: OptionNode): string {
  if (type !== '') return type;
  return shape === 'list' ? 'list of mappings' : 'mapping';
}

function defaultOf({ required, shape, byDefault }: OptionNode): string {
  if (required) return 'none, required';
  if (shape === 'list') return isEmpty(byDefault) ? 'none' : 'one entry with the defaults';
  return byDefault === undefined || shape === 'section' ? '–' : `\`${inlineYaml(byDefault)}\``;
}

function isEmpty(byDefault: unknown): boolean {
  return Array.isArray(byDefault) && byDefault.length === 0;
}
