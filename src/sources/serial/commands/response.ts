import type { Buffer } from 'node:buffer';
import type { CommandAnswer } from '../../../core/command.ts';
import { printable } from '../../../core/printable.ts';
import { StructLayout, type StructValue } from '../../../core/struct-layout.ts';
import { TextPattern } from '../../../core/text-pattern.ts';
import type { ResponseOptions, Where } from './options.ts';

/** An answer that was found in a frame. */
export interface FoundAnswer {
  /** Of what it answers; undefined when it does not say it. */
  readonly requestId: string | undefined;
  readonly answer: CommandAnswer;
}

/** How the answers to a command are known. */
export interface Response {
  /** False: nothing but their order says what they answer. */
  readonly namesRequest: boolean;
  /** Undefined when the frame is no such answer. */
  find(frame: Buffer): FoundAnswer | undefined;
}

type OptionsOf<Kind extends ResponseOptions['kind']> = Extract<ResponseOptions, { readonly kind: Kind }>;
type Values = ReadonlyMap<string, unknown>;

const REQUEST_ID = 'request_id';
const DONE = 200;
const FAILED = 500;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const MAX_ERROR_LENGTH = 256;

export function responseOf(options: ResponseOptions): Response {
  switch (options.kind) {
    case 'pattern':
      return patternResponse(options);
    case 'field':
      return fieldResponse(options);
    case 'layout':
      return layoutResponse(options);
  }
}

function patternResponse({ encoding, ...options }: OptionsOf<'pattern'>): Response {
  const pattern = new TextPattern(options.pattern);
  const error = options.error === undefined ? undefined : new TextPattern(options.error);
  return {
    namesRequest: [pattern, ...(error === undefined ? [] : [error])].every(({ names }) => names.includes(REQUEST_ID)),
    find: (frame) => {
      const text = frame.toString(encoding === 'hex' ? 'hex' : 'utf8');
      const failed = error?.find(text);
      if (failed !== undefined) return found(scalars(failed), { failedAs: text });
      const done = pattern.find(text);
      return done && found(scalars(done));
    },
  };
}

function fieldResponse({ field }: OptionsOf<'field'>): Response {
  return {
    namesRequest: true,
    find: (frame) => {
      const values = objectIn(frame.toString('utf8'));
      const requestId = values?.get(field);
      if (values === undefined || (typeof requestId !== 'string' && typeof requestId !== 'number')) return undefined;
      const { answer } = found(new Map([...values].filter(([name]) => name !== field)));
      return { requestId: String(requestId), answer };
    },
  };
}

function layoutResponse({ columns, when, errorWhen, ...options }: OptionsOf<'layout'>): Response {
  const layout = new StructLayout(options.layout);
  return {
    namesRequest: false,
    find: (frame) => {
      if (frame.length !== layout.byteCount) return undefined;
      const values = new Map(layout.read(frame).map((value, index) => [columns[index] ?? '_', plain(value)]));
      const isFailed = errorWhen !== undefined && fits(values, errorWhen);
      if (!isFailed && !fits(values, when)) return undefined;
      values.delete('_');
      return isFailed ? found(values, { failedAs: JSON.stringify(Object.fromEntries(values)) }) : found(values);
    },
  };
}

/** `status`, `error` and `result` mean what they mean in an answer over MQTT; without `result` it is what is left. */
function found(values: Values, { failedAs }: { readonly failedAs?: string } = {}): FoundAnswer {
  const requestId = values.get(REQUEST_ID);
  const said = values.get('status');
  const error = isNone(values.get('error')) ? failedAs : values.get('error');
  const status = isStatus(said) ? said : error === undefined ? DONE : FAILED;
  const spoken = [REQUEST_ID, 'error', 'result', ...(isStatus(said) ? ['status'] : [])];
  const rest = [...values].filter(([name]) => !spoken.includes(name));
  const result = values.has('result') ? values.get('result') : rest.length > 0 ? Object.fromEntries(rest) : undefined;
  const answer: CommandAnswer = {
    status: error !== undefined && status < 400 ? FAILED : status,
    ...(result !== undefined && { result }),
    ...((error !== undefined || status >= 400) && { error: errorText(error ?? `status ${status}`) }),
  };
  return { requestId: isNone(requestId) ? undefined : String(requestId), answer };
}

function isNone(value: unknown): boolean {
  return value === undefined || value === null || value === false;
}

function isStatus(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 200 && value <= 599;
}

function errorText(error: unknown): string {
  return printable(typeof error === 'string' ? error : JSON.stringify(error), MAX_ERROR_LENGTH);
}

function scalars(groups: ReadonlyMap<string, string | null>): Values {
  return new Map([...groups].map(([name, text]) => [name, name === REQUEST_ID ? text : scalar(text)]));
}

function scalar(text: string | null): string | number | boolean | null {
  if (text === null) return null;
  if (NUMBER.test(text) && Number.isFinite(Number(text))) return Number(text);
  return text === 'true' ? true : text === 'false' ? false : text;
}

function objectIn(text: string): Values | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
    return isObject ? new Map(Object.entries(parsed)) : undefined;
  } catch {
    return undefined;
  }
}

/** Text ends at its first zero. */
function plain(value: StructValue): number | string | boolean | null {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end === -1 ? value.length : end);
}

function fits(values: Values, where: Where): boolean {
  return Object.entries(where).every(([column, value]) => Number(values.get(column)) === value);
}
