import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CommandResult, sluice } from '../support/command-line.ts';
import { type OpenStore, openStore } from '../support/open-store.ts';
import { entryOf, newRecord } from '../support/records.ts';

const PAGE = 4096;
const COUNT = 2_000;
const DOCS = readFileSync(resolve(import.meta.dirname, '../../docs/doctor.md'), 'utf8');

/** The commands of docs/doctor.md, without the launcher in front. */
const COMMANDS = [...DOCS.matchAll(/^scripts\/sluice (doctor.*)$/gm)].map(([, command = '']) => command);

describe('sluice doctor', () => {
  let directory: string;
  let dataDir: string;
  let configFile: string;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-doctor-'));
    dataDir = join(directory, 'data');
    configFile = join(directory, 'sluice.yaml');
    mkdirSync(dataDir);
    writeFileSync(configFile, JSON.stringify({ gateway: { dataDir } }));
    const store = await openStore({ dataDir });
    const records = Array.from({ length: COUNT }, (_, n) =>
      newRecord({ value: Buffer.from(JSON.stringify({ n, text: ' '.repeat(100) })) }),
    );
    await store.client.append(entryOf(...records));
    await store.close();
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function run(command: string): CommandResult {
    const words = command.split(' ').map((word) => word.replace('sluice.yaml', configFile));
    return sluice(words.map((word) => (word.endsWith('.ndjson') ? join(directory, word) : word)));
  }

  /** A page in the middle, and the mark that a gateway leaves when it meets it. */
  function damage(page: number): void {
    const fd = openSync(join(dataDir, 'log.db'), 'r+');
    writeSync(fd, Buffer.alloc(PAGE, 0xa5), 0, PAGE, (page - 1) * PAGE);
    closeSync(fd);
  }

  function files(): unknown[] {
    return readdirSync(dataDir).map((name) => {
      const { size, mtimeNs } = statSync(join(dataDir, name), { bigint: true });
      return [name, size, mtimeNs, readFileSync(join(dataDir, name)).toString('base64')];
    });
  }

  function exported(): unknown[] {
    const lines = readFileSync(join(directory, 'records.ndjson'), 'utf8').trimEnd().split('\n');
    return lines.map((line) => (JSON.parse(line) as { value: { n: number } }).value.n);
  }

  it('does what its page says, with every command of it', () => {
    expect(COMMANDS).toHaveLength(3);
    for (const command of COMMANDS) expect(run(command)).toMatchObject({ code: 0, err: '' });
    expect(exported()).toEqual(Array.from({ length: COUNT }, (_, n) => n));
  });

  it('says that a store is whole, and how much is in it', () => {
    const { out } = run('doctor --config sluice.yaml');
    expect(out).toContain(`Records: ${COUNT} telemetry.\nThe store is whole.`);
    const { out: json } = run('doctor --json --config sluice.yaml');
    expect(JSON.parse(json)).toMatchObject({ dataDir, whole: true, records: { telemetry: COUNT }, repairs: null });
  });

  it('finds damage, exports what can be read, and repairs when it is asked to', () => {
    damage(40);
    const looked = run('doctor --config sluice.yaml');
    expect(looked.code).toBe(1);
    expect(looked.out).toContain('log.db: it is damaged');
    const repaired = run('doctor --repair --export records.ndjson --config sluice.yaml');
    expect(repaired).toMatchObject({ code: 0, err: '', out: expect.stringContaining('Repaired: ') });
    expect(exported().length).toBeGreaterThan(COUNT - 50);
    expect(new Set(exported()).size).toBe(exported().length);
    expect(run('doctor --config sluice.yaml')).toMatchObject({ code: 0 });
  });

  it.each(['whole', 'damaged'])('leaves no trace where it only looks at a store that is %s', (condition) => {
    if (condition === 'damaged') damage(40);
    const before = files();
    run('doctor --config sluice.yaml');
    run('doctor --export records.ndjson --config sluice.yaml');
    expect(files()).toEqual(before);
  });

  it('does not overwrite a file', () => {
    writeFileSync(join(directory, 'records.ndjson'), 'precious');
    const { code, err } = run('doctor --export records.ndjson --config sluice.yaml');
    expect([code, err]).toEqual([1, expect.stringContaining('Name a file that does not exist yet')]);
  });

  it('looks beside a running gateway, and repairs nothing there', async () => {
    const store: OpenStore = await openStore({ dataDir });
    try {
      expect(run('doctor --config sluice.yaml')).toMatchObject({ code: 0 });
      const { code, err } = run('doctor --repair --config sluice.yaml');
      expect([code, err]).toEqual([1, expect.stringContaining('is in use by the gateway with pid')]);
    } finally {
      await store.close();
    }
  });

  it('says so when there is no store', () => {
    rmSync(dataDir, { recursive: true });
    const { code, err } = run('doctor --config sluice.yaml');
    expect([code, err]).toEqual([1, expect.stringContaining('there is no store in')]);
  });
});
