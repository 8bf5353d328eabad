import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One line of a file uplink. */
export interface EventLine {
  readonly seq: number;
  readonly event: Readonly<Record<string, unknown>>;
  readonly value: Buffer;
}

/**
 * All lines of one stream that a file uplink wrote for one gateway, file by file.
 * @throws when a line is torn or is not JSON.
 */
export function readEventFiles(directory: string, gatewayId: string, stream: string): EventLine[] {
  return eventFiles(directory, gatewayId, stream).flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    if (text !== '' && !text.endsWith('\n')) throw new Error(`the last line of ${file} is torn`);
    return text.split('\n').slice(0, -1).map(parseLine);
  });
}

/** Paths, oldest first. */
export function eventFiles(directory: string, gatewayId: string, stream: string): string[] {
  const folder = join(directory, gatewayId);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.startsWith(`${stream}-`) && name.endsWith('.ndjson'));
  return names.sort().map((name) => join(folder, name));
}

function parseLine(line: string): EventLine {
  const event = JSON.parse(line) as Record<string, unknown>;
  return { seq: Number(String(event['id']).split(':').at(-1)), event, value: bytesOf(event, line) };
}

/** JSON data keep their bytes: they are the last attribute. */
function bytesOf({ data, data_base64: base64, datacontenttype }: Record<string, unknown>, line: string): Buffer {
  if (typeof base64 === 'string') return Buffer.from(base64, 'base64');
  if (datacontenttype === 'text/plain') return Buffer.from(String(data));
  return Buffer.from(line.slice(line.indexOf(',"data":') + ',"data":'.length, -1));
}
