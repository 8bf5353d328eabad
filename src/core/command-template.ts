import { SluiceError } from './errors.ts';

/** What is written for a command: text with placeholders, or values whose texts may be or hold placeholders. */
export type CommandTemplate =
  | string
  | number
  | boolean
  | null
  | readonly CommandTemplate[]
  | { readonly [name: string]: CommandTemplate };

/** What placeholders stand for. */
export interface CommandValues {
  readonly requestId: string;
  readonly device: string;
  readonly name: string;
  readonly params: unknown;
}

/** Braces around anything else, as in JSON, are only braces. */
const PLACEHOLDER = /\{(\w[\w.-]*)\}/g;
const WHOLE = /^\{(\w[\w.-]*)\}$/;
const KNOWN = /^(?:request_id|device|name|params(?:\.[\w-]+)*)$/;
export const KNOWN_PLACEHOLDERS = '{request_id}, {device}, {name}, {params}, {params.NAME}';
/** Ends a frame, or more, on many a device, whatever its framing is. */
const CONTROL = /\p{Cc}/u;

/** Names in braces that stand for nothing. */
export function unknownPlaceholders(template: CommandTemplate): readonly string[] {
  if (typeof template === 'string') {
    return [...template.matchAll(PLACEHOLDER)].map(([, name = '']) => name).filter((name) => !KNOWN.test(name));
  }
  if (typeof template !== 'object' || template === null) return [];
  return Object.values(template).flatMap(unknownPlaceholders);
}

/** The text with what its placeholders stand for; values that are no text as JSON. @throws SluiceError `bad_command` */
export function filledText(template: string, values: CommandValues): string {
  return template.replace(PLACEHOLDER, (_, name: string) => {
    const value = standsFor(name, values);
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    if (CONTROL.test(text)) throw badCommand(`${name} has a control character in it`);
    return text;
  });
}

/** The same of values: a text that is a placeholder alone becomes its value, whatever that is. @throws SluiceError `bad_command` */
export function filledValue(template: CommandTemplate, values: CommandValues): unknown {
  if (typeof template === 'string') {
    const [, name] = WHOLE.exec(template) ?? [];
    return name === undefined ? filledText(template, values) : standsFor(name, values);
  }
  if (typeof template !== 'object' || template === null) return template;
  if (Array.isArray(template)) return template.map((each) => filledValue(each, values));
  return Object.fromEntries(Object.entries(template).map(([name, each]) => [name, filledValue(each, values)]));
}

/** A command that cannot be what its device takes. */
export function badCommand(message: string): SluiceError {
  return new SluiceError(message, { code: 'bad_command' });
}

function standsFor(placeholder: string, { requestId, device, name, params }: CommandValues): unknown {
  if (placeholder === 'request_id') return requestId;
  if (placeholder === 'device') return device;
  if (placeholder === 'name') return name;
  let value = params;
  for (const key of placeholder.split('.').slice(1)) {
    const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
    if (!isThere) throw badCommand(`${placeholder} is missing`);
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
