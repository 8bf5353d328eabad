import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pythonWith } from '../support/python-install.ts';
import { type RunningUplink, runUplink } from '../support/running-uplink.ts';
import { PASSWORD, type SecureKafka, startSecureKafka, USER } from '../support/secure-kafka.ts';
import { kafkaOptions, topicsUnder } from '../support/uplink-options.ts';
import { waitFor } from '../support/wait-for.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/kafka.md'), 'utf8');
const COUNT = 60;

/** The code of that language on the page. */
function codeOf(language: string): string {
  const code = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(PAGE)?.[1];
  if (code === undefined) throw new Error(`docs/kafka.md has no code of ${language}`);
  return code;
}

describe('what docs/kafka.md says', { timeout: 90_000 }, () => {
  let secure: SecureKafka;
  let directory: string;
  let uplink: RunningUplink | undefined;

  beforeAll(async () => {
    secure = await startSecureKafka();
    directory = mkdtempSync(join(tmpdir(), 'sluice-page-'));
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  });
  afterAll(async () => {
    await uplink?.stop();
    await secure.stop();
    rmSync(directory, { recursive: true });
  });

  const options = (): Parameters<typeof kafkaOptions>[0] => ({
    brokers: [secure.brokers.sasl],
    tls: { caFile: secure.authority.caFile },
    sasl: { mechanism: 'scram-sha-512', username: USER, password: PASSWORD },
    topics: topicsUnder('sluice'),
    streams: ['telemetry'],
    createTopics: { partitions: 3, replicationFactor: 1 },
    batch: { maxRecords: 7, maxBytes: 1 << 20, maxWait: 0 },
  });

  it('of grants is enough to make topics and to deliver', async () => {
    const commands = PAGE.split('\n').filter((line) => line.startsWith('kafka-acls.sh '));
    expect(commands).toHaveLength(6);
    const running = await runUplink(kafkaOptions(options()));
    uplink = running;
    running.append(COUNT);
    await running.reaches('blocked');
    for (const command of commands) {
      const [, , , , , ...args] = command.split(' ');
      secure.kafka.java('org.apache.kafka.tools.AclCommand', '--bootstrap-server', secure.kafka.bootstrap, ...args);
    }
    await running.drained();
    expect(await secure.kafka.countRecords('sluice.telemetry')).toBe(COUNT);
    await running.stop();
    const topics = topicsUnder('sluice.once');
    const once = kafkaOptions({ ...options(), name: 'once', delivery: 'exactly_once', topics });
    const exactly = await runUplink(once, running.log, [], { gatewayId: 'greenhouse-pi' });
    await exactly.drained();
    await exactly.stop();
  });

  it.each([
    ['java', 'ReadOnce.java', (file: string) => secure.kafka.javaCommand(file)],
    ['js', 'read-once.mjs', (file: string) => [process.execPath, '--no-warnings', file]],
    ['python', 'read_once.py', (file: string) => [pythonWith('confluent-kafka'), file]],
  ])('of reading in %s gives each record once, in order, however often it was sent', async (language, name, start) => {
    const again = await runUplink(kafkaOptions({ ...options(), name: `again-${language}` }), uplink?.log);
    await again.drained();
    await again.stop();
    expect(await secure.kafka.countRecords('sluice.telemetry')).toBeGreaterThanOrEqual(2 * COUNT);
    const file = join(directory, name);
    writeFileSync(file, codeOf(language));
    const lines = await read(`read-once-${language}`, [...start(file), secure.kafka.bootstrap, 'sluice.telemetry']);
    expect(new Set(lines).size).toBe(COUNT);
    expect(lines).toHaveLength(COUNT);
    for (const ofDevice of Map.groupBy(lines, (line) => Number(/"n":(\d+)/.exec(line)?.[1]) % 5).values()) {
      expect(ofDevice).toEqual(ofDevice.toSorted());
    }
  });

  /** The lines of a reader that never ends, once it is past the end of the topic. */
  async function read(group: string, [program = '', ...args]: readonly string[]): Promise<readonly string[]> {
    const child = spawn(program, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let complaint = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk));
    child.stderr.on('data', (chunk: Buffer) => (complaint += chunk));
    const lines = (): string[] => output.split('\n').filter((line) => line.includes('{"n":'));
    try {
      await waitFor(() => lines().length >= COUNT, { what: () => `${COUNT} lines: ${complaint}`, timeoutMs: 60_000 });
      await waitFor(() => isCommitted(group), { what: 'the reader to be done', timeoutMs: 30_000 });
      return lines();
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  }

  async function isCommitted(groupId: string): Promise<boolean> {
    const topic = 'sluice.telemetry';
    return await secure.kafka.admin(async (admin) => {
      const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] });
      const ends = await admin.fetchTopicOffsets(topic);
      const done = new Map(committed?.partitions.map(({ partition, offset }) => [partition, offset]));
      return ends.every(({ partition, high }) => high === '0' || done.get(partition) === high);
    });
  }
});
