import type { Config } from '../config/config.ts';
import type { CommandTemplate } from '../core/command-template.ts';
import type { CommandOptions, ResponseOptions } from '../sources/serial/commands/options.ts';
import type { WriteRule } from '../sources/serial/modbus/options.ts';

type SerialConfig = Config['serial'][number];
type CommandConfig = SerialConfig['commands'][number];
type RegisterConfig = NonNullable<SerialConfig['modbus']>['units'][number]['registers'][number];

/** What the commands of a port mean to those who write them. */
export function commandOptions(commands: SerialConfig['commands']): readonly CommandOptions[] {
  return commands.map(({ name, write, encoding = 'text', layout, response }) => ({
    name,
    write: write as CommandTemplate,
    encoding,
    layout,
    response: response && responseOptions(response),
  }));
}

function responseOptions({
  pattern,
  error,
  encoding = 'text',
  field,
  layout,
  ...bytes
}: NonNullable<CommandConfig['response']>): ResponseOptions {
  if (field !== undefined) return { kind: 'field', field };
  if (layout === undefined) return { kind: 'pattern', pattern: pattern ?? '', error, encoding };
  const { columns = [], when = {}, errorWhen } = bytes;
  return { kind: 'layout', layout, columns, when, errorWhen };
}

/** Undefined for what is only read. */
export function writeRule({ writable, scale = 1, offset = 0, min, max }: RegisterConfig): WriteRule | undefined {
  return writable === true ? { scale, offset, min, max } : undefined;
}
