import type { CommandTemplate } from '../../../core/command-template.ts';

/** How an answer is known among the frames of a port, and what is taken from it. */
export type ResponseOptions =
  /** Expressions with named groups; `hex`: the frame is looked at in hexadecimal digits. */
  | {
      readonly kind: 'pattern';
      readonly encoding: 'text' | 'hex';
      readonly pattern: string;
      readonly error?: string | undefined;
    }
  /** An object of JSON that has the request id there. */
  | { readonly kind: 'field'; readonly field: string }
  /** Bytes of that layout, of which some values are as given. */
  | {
      readonly kind: 'layout';
      readonly layout: string;
      readonly columns: readonly string[];
      readonly when: Where;
      readonly errorWhen?: Where | undefined;
    };

/** Numbers by their column. */
export type Where = Readonly<Record<string, number>>;

/** One command that the devices of a port take. */
export interface CommandOptions {
  readonly name: string;
  /** Text; a mapping is written as JSON, a list as `layout` says. */
  readonly write: CommandTemplate;
  /** What the text stands for. */
  readonly encoding: 'text' | 'hex' | 'base64';
  readonly layout?: string | undefined;
  /** Undefined: nobody answers, it is done when it is written. */
  readonly response?: ResponseOptions | undefined;
}
