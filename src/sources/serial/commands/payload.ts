import { Buffer } from 'node:buffer';
import { badCommand, type CommandValues, filledText, filledValue } from '../../../core/command-template.ts';
import { messageOf } from '../../../core/errors.ts';
import { StructLayout } from '../../../core/struct-layout.ts';
import type { CommandOptions } from './options.ts';

export type Payload = (values: CommandValues) => Buffer;

const HEX = /^(?:[\da-f]{2})*$/i;
const BASE64 = /^(?:[\w+/-]{4})*(?:[\w+/-]{2}(?:==)?|[\w+/-]{3}=?)?$/;

/** What is written for a command, before it is framed. It throws a SluiceError `bad_command`. */
export function payloadOf({ write, encoding, layout }: CommandOptions): Payload {
  if (layout !== undefined) return structPayload(layout, write as readonly never[]);
  if (typeof write === 'string') return (values) => decoded(filledText(write, values), encoding);
  return (values) => Buffer.from(JSON.stringify(filledValue(write, values)));
}

function structPayload(layout: string, write: readonly never[]): Payload {
  const struct = new StructLayout(layout);
  return (values) => {
    const filled = filledValue(write, values) as readonly unknown[];
    try {
      return struct.write(filled);
    } catch (error) {
      throw badCommand(messageOf(error));
    }
  };
}

function decoded(text: string, encoding: CommandOptions['encoding']): Buffer {
  if (encoding === 'text') return Buffer.from(text);
  const dense = text.replaceAll(' ', '');
  if (!(encoding === 'hex' ? HEX : BASE64).test(dense)) throw badCommand(`what would be written is not ${encoding}`);
  return Buffer.from(dense, encoding);
}
