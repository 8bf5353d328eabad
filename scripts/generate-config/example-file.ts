import { type OptionNode, optionTree } from './option-tree.ts';
import { inlineYaml, wrap } from './yaml-text.ts';

const WIDTH = 116;

const HEAD = `# yaml-language-server: $schema=./sluice.schema.json
## Sluice: every option with its default. Nothing here has to be set: an empty file runs.
## Lines with ## explain. To set an option, take the "# " away from its line, and from those it stands below.
## Durations: 500ms, 30s, 5m, 2h, 7d. Sizes: 512B, 64KiB, 8MiB, 2GiB. \${NAME} and \${NAME:-default} are taken from the
## environment, $$ is a dollar. Relative paths count from the directory of this file.
`;

/** `config/sluice.example.yaml`: every option as a comment. */
export function exampleFile(): string {
  return `${HEAD}${optionTree().map(sectionText).join('')}`;
}

function sectionText(section: OptionNode): string {
  const entries = entryLines(section);
  return `\n${wrap(section.description, WIDTH).map(prose('')).join('')}${section.name}:\n${entries.join('')}`;
}

function entryLines(section: OptionNode): string[] {
  if (section.kinds.length > 0) return section.kinds.flatMap(kindLines);
  return section.shape === 'list' ? listLines(section, '') : optionLines(section.options, '');
}

function kindLines(kind: OptionNode): string[] {
  return ['\n', ...wrap(kind.description, WIDTH).map(prose('  ')), ...listEntry(kind.options, '')];
}

function optionLines(options: readonly OptionNode[], indent: string): string[] {
  return options.flatMap((option) => {
    const about = option.type === '' ? option.description : `${option.description} (${option.type})`;
    const lines = [...wrap(about.replaceAll('`', ''), WIDTH).map(prose('  ', indent))];
    switch (option.shape) {
      case 'section':
        return [...lines, code(`${indent}${option.name}:`), ...optionLines(option.options, `${indent}  `)];
      case 'list':
        return [...lines, code(`${indent}${option.name}:`), ...listLines(option, `${indent}  `)];
      case 'choice':
        return [...lines, alternative(option, indent), code(`${indent}${option.name}: ${inlineYaml(option.sample)}`)];
      case 'plain':
        return [...lines, code(`${indent}${option.name}: ${inlineYaml(option.sample)}`)];
    }
    throw new Error(`no lines for the shape ${String(option.shape satisfies never)}`);
  });
}

function listLines({ entries, options }: OptionNode, indent: string): string[] {
  if (entries.length === 0) return listEntry(options, indent);
  return entries.map((entry) => code(`${indent}- ${inlineYaml(entry)}`));
}

/** The first option of a list's entry carries the dash. */
function listEntry(options: readonly OptionNode[], indent: string): string[] {
  const lines = optionLines(options, `${indent}  `);
  const first = lines.findIndex((line) => !line.startsWith('  ##'));
  return lines.map((line, index) => (index === first ? line.replace(`# ${indent}  `, `# ${indent}- `) : line));
}

function alternative(option: OptionNode, indent: string): string {
  const given = option.options.filter(({ sample }) => sample !== undefined);
  const mapping = Object.fromEntries(given.map(({ name, sample }) => [name, sample]));
  return prose('  ', indent)(`For example: ${option.name}: ${inlineYaml(mapping)}`);
}

function prose(margin: string, indent = ''): (line: string) => string {
  return (line) => `${margin}## ${indent}${line}\n`;
}

function code(line: string): string {
  return `  # ${line}\n`;
}
