import { execFileSync } from 'node:child_process';
import { constants, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SluiceError } from '../../../src/core/errors.ts';
import { isJournal, lineSinkFor } from '../../../src/platform/log-output.ts';
import { createLogger, type LoggerOptions, type LogOutput } from '../../../src/platform/logger.ts';

let lines: string[];
let directory: string;

beforeEach(() => {
  lines = [];
  directory = mkdtempSync(join(tmpdir(), 'sluice-logger-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

function logger(options: Partial<LoggerOptions> = {}, output: Partial<LogOutput> = {}) {
  const sink = (line: string) => lines.push(line);
  return createLogger(
    { level: 'info', format: 'auto', ...options },
    { sink, terminal: false, journal: false, colour: false, ...output },
  );
}

function onlyLine(): Record<string, unknown> {
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>;
}

describe('the logger', () => {
  it('writes one JSON object per line with time, level, bindings and fields', () => {
    logger().child({ part: 'mqtt' }).info({ clientCount: 3 }, 'listening');
    expect(onlyLine()).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      part: 'mqtt',
      clientCount: 3,
      message: 'listening',
    });
  });

  it('leaves out what is below its level', () => {
    const log = logger({ level: 'warn' });
    log.info({}, 'quiet');
    log.warn({}, 'loud');
    expect(onlyLine()['message']).toBe('loud');
  });

  it('keeps text from the network inside one line', () => {
    logger().info({ topic: 'a\n{"level":"error"}\u001b[2J' }, 'refused');
    expect(lines[0]?.trimEnd()).not.toContain('\n');
    expect(lines[0]).not.toContain('\u001b');
    expect(onlyLine()['topic']).toBe('a\n{"level":"error"}\u001b[2J');
  });

  it('shows what is wrong and what to do, without the stack of an expected error', () => {
    const error = new SluiceError('port 1883 is in use', { code: 'port_in_use', hint: 'choose another port' });
    logger().error({ error }, 'start failed');
    expect(onlyLine()['error']).toEqual({
      message: 'port 1883 is in use',
      code: 'port_in_use',
      hint: 'choose another port',
    });
  });

  it('shows the stack of an unexpected error', () => {
    logger().error({ error: new TypeError('x is undefined') }, 'failed');
    expect(onlyLine()['error']).toMatchObject({
      message: 'x is undefined',
      stack: expect.stringContaining('.test.ts'),
    });
  });

  it('hides secrets', () => {
    logger().info({ password: 'hunter2', sasl: { password: 'hunter2' } }, 'connecting');
    expect(lines[0]).not.toContain('hunter2');
  });

  it('is readable on a terminal', () => {
    logger({}, { terminal: true }).info({ port: 1883, host: 'a b' }, 'listening');
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}listening port=1883 host="a b"\n$/);
  });

  it('escapes every control character of a pretty line', () => {
    logger({ format: 'pretty' }).warn({ 'k\u001b': 'a\u001b[2J\u009b\u007f\u202e\n' }, 'odd');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    expect(lines[0]?.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(lines[0]).toContain('\\u{9b}');
  });

  it('marks warnings with colour only where colour is wanted', () => {
    logger({ format: 'pretty' }, { colour: true }).warn({}, 'a');
    logger({ format: 'pretty' }).warn({}, 'a');
    expect(lines[0]).toContain('\u001b[33m');
    expect(lines[1]).not.toContain('\u001b');
  });

  it('puts the priority in front for the journal', () => {
    const log = logger({ level: 'debug' }, { journal: true });
    log.debug({}, 'd');
    log.info({}, 'i');
    log.warn({}, 'w');
    log.error({}, 'e');
    expect(lines.map((line) => line.slice(0, 4))).toEqual(['<7>{', '<6>{', '<4>{', '<3>{']);
  });
});

describe('the output', () => {
  it('knows the journal by device and inode', () => {
    const path = join(directory, 'journal');
    const fd = openSync(path, 'w');
    const { dev, ino } = statSync(path);
    expect(isJournal(fd, `${dev}:${ino}`)).toBe(true);
    expect(isJournal(fd, `${dev}:${ino + 1}`)).toBe(false);
    expect(isJournal(fd, undefined)).toBe(false);
  });

  it('goes on when a line cannot be written', () => {
    const full = lineSinkFor(openSync('/dev/full', 'w'));
    expect(() => full('lost\n')).not.toThrow();
  });

  it('begins a new line behind one that a full pipe cut', () => {
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(1024 * 1024);
    const read = (): string => buffer.toString('utf8', 0, readSync(fd, buffer));
    const sink = lineSinkFor(fd);
    for (let i = 0; i < 10; i += 1) sink(`${'x'.repeat(9_999)}\n`);
    const before = read();
    sink('end\n');
    const written = `${before}${read()}`.split('\n');
    expect(before.endsWith('\n')).toBe(false);
    expect(written.slice(-2)).toEqual(['end', '']);
  });

  it('keeps the lines of several threads whole', async () => {
    const path = join(directory, 'out');
    const fd = openSync(path, 'a');
    const module = JSON.stringify(new URL('../../../src/platform/log-output.ts', import.meta.url).href);
    const source = `import(${module}).then(({ lineSinkFor }) => {
      const sink = lineSinkFor(${fd});
      for (let i = 0; i < 200; i += 1) sink('x'.repeat(1000) + '\\n');
    });`;
    const workers = [1, 2].map(() => new Worker(source, { eval: true }));
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
    const written = readFileSync(path, 'utf8').split('\n');
    expect(written).toHaveLength(401);
    expect(written.slice(0, 400).every((line) => line.length === 1000)).toBe(true);
  });
});
