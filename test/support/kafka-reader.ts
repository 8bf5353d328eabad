import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** One record as a foreign client sees it. */
export interface KafkaRecord {
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: Buffer;
  /** In the order of the record. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Header values hold no line feed, so it ends a record; key and value are read by their lengths. */
const FORMAT = '%p %o %T %K %S\\n%k%s\\n%h\\n';
const LINE_FEED = 10;

/**
 * Reads a topic from its beginning to its present end with kcat, so independently of the client under test.
 * Sorted by partition and offset.
 */
export async function readTopic(bootstrap: string, topic: string): Promise<KafkaRecord[]> {
  const args = ['-C', '-b', bootstrap, '-t', topic, '-o', 'beginning', '-e', '-q', '-f', FORMAT];
  const kcat = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  let complaint = '';
  kcat.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  kcat.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const [code] = await once(kcat, 'close');
  if (code !== 0) throw new Error(`kcat could not read ${topic} (is it installed? apt-get install kcat): ${complaint}`);
  return parse(Buffer.concat(chunks)).sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

function parse(output: Buffer): KafkaRecord[] {
  const records: KafkaRecord[] = [];
  let at = 0;
  const line = (): string => {
    const end = output.indexOf(LINE_FEED, at);
    const text = output.toString('utf8', at, end);
    at = end + 1;
    return text;
  };
  const take = (length: number): Buffer => {
    const bytes = output.subarray(at, at + Math.max(length, 0));
    at += bytes.byteLength;
    return bytes;
  };
  while (at < output.byteLength) {
    const [partition = 0, offset = 0, timestamp = 0, keyLength = -1, valueLength = -1] = line().split(' ').map(Number);
    const key = keyLength < 0 ? null : take(keyLength).toString();
    const value = Buffer.from(take(valueLength));
    at += 1;
    records.push({ partition, offset, timestamp, key, value, headers: parseHeaders(line()) });
  }
  return records;
}

/** `a=1,b=2`; a comma belongs to a value unless a header name follows it. */
function parseHeaders(text: string): Record<string, string> {
  const pairs = text === '' ? [] : text.split(/,(?=[a-z_-]+=)/);
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}
