import { readFileSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import { messageOf, SluiceError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import type { TriedMessage, TriedRecord } from '../gateway/try-message.ts';
import { EXIT, type Input, type Io, UsageError } from './command.ts';

const MAX_SHOWN_RECORDS = 20;
const MAX_SHOWN_LENGTH = 2000;
const WHERE_RECORDS_COME_FROM =
  'Records come from devices/{id}/telemetry, its like (docs/mqtt.md), and the topics of mqtt.routes.';

export const MESSAGE_OPTIONS = {
  topic: { type: 'string' },
  payload: { type: 'string' },
  'payload-file': { type: 'string' },
} as const;

/** Whether the command is about a message. @throws UsageError when only half of one is given */
export function asksForMessage({ values }: Input): boolean {
  const payloads = [values['payload'], values['payload-file']].filter((given) => given !== undefined);
  if (values['topic'] === undefined && payloads.length > 0) throw new UsageError('--payload needs a --topic');
  if (payloads.length > 1) throw new UsageError('--payload and --payload-file: give one of them');
  return values['topic'] !== undefined;
}

/** Says which route takes a message and what becomes of it. Exit code 1 when it is refused. */
export async function checkMessage(input: Input, { mqtt }: Config, io: Io): Promise<number> {
  const { tryMessage } = await import('../gateway/try-message.ts');
  const tried = tryMessage(mqtt.routes, String(input.values['topic']), payloadOf(input));
  io.out(input.values['json'] === true ? `${JSON.stringify(tried)}\n` : forPeople(tried));
  return tried.outcome === 'accepted' || tried.outcome === 'local' ? EXIT.done : EXIT.failed;
}

function payloadOf({ values }: Input): Uint8Array {
  const file = values['payload-file'];
  if (typeof file !== 'string') return Buffer.from(String(values['payload'] ?? ''));
  try {
    return readFileSync(file);
  } catch (error) {
    throw new SluiceError(`${file} cannot be read: ${messageOf(error)}`, { code: 'unreadable_file' });
  }
}

function forPeople({ topic, outcome, route, reason, hint, records }: TriedMessage): string {
  const name = printable(topic, 200);
  const taker = route === 'devices' ? 'the default namespace' : `the route ${route}`;
  switch (outcome) {
    case 'invalid_topic':
      return `${name || 'An empty topic'}: nobody can publish there, a topic has no wildcards and is not empty.\n`;
    case 'local':
      return `${name}: no route takes it, it is handed to local subscribers only.\n${WHERE_RECORDS_COME_FROM}\n`;
    case 'refused':
      return `${name}: taken by ${taker}, and refused: ${reason}.\nWhat helps: ${hint}.\n`;
    case 'accepted':
      return `${name}: taken by ${taker}.\n${records.slice(0, MAX_SHOWN_RECORDS).map(recordText).join('')}${moreText(records)}`;
  }
}

function recordText({ stream, device, event_type, content_type, time, value, units }: TriedRecord): string {
  const lines = [
    ['device', device],
    ['stream', event_type === null ? stream : `${stream}, type ${event_type}`],
    ['time', time ?? 'that of receipt'],
    ['value', value],
    ...Object.entries(units).map(([name, unit]) => ['unit', `${name}: ${unit}`]),
    ...(content_type === 'application/json' ? [] : [['content', content_type]]),
  ];
  return `\n${lines.map(([name = '', text = '']) => `  ${name.padEnd(8)}${printable(text, MAX_SHOWN_LENGTH)}\n`).join('')}`;
}

function moreText({ length }: readonly TriedRecord[]): string {
  return length > MAX_SHOWN_RECORDS ? `\n  and ${length - MAX_SHOWN_RECORDS} records more\n` : '';
}
