import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { CloudEvents } from '../../../../src/uplink/cloud-event.ts';
import { cloudEventJson } from '../../../../src/uplink/cloud-event-json.ts';
import { LaneFile } from '../../../../src/uplink/file/lane-file.ts';
import { storedRecord } from '../../../support/stored-record.ts';
import { EPOCH, IDENTITY } from '../../../support/uplink-options.ts';

const EVENTS = new CloudEvents({ ...IDENTITY, typePrefix: 'sluice' });
const PREFIX = `telemetry-${EPOCH}-`;

describe('LaneFile', () => {
  let directory: string;
  const open: LaneFile[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-lane-file-'));
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((file) => file.close()));
    rmSync(directory, { recursive: true, force: true });
  });

  async function recover(rotateBytes = 1 << 20): Promise<LaneFile> {
    const file = new LaneFile({ directory, prefix: PREFIX, idPrefix: EVENTS.idPrefix, rotateBytes });
    open.push(file);
    await file.recover();
    return file;
  }

  const line = (seq: number, value = '{"t":1}'): string =>
    `${cloudEventJson(EVENTS, storedRecord(seq, { receivedAt: 0, value: Buffer.from(value) }), { channel: false })}\n`;
  const lines = (from: number, to: number): Buffer => {
    const texts = Array.from({ length: to - from + 1 }, (_, index) => line(from + index));
    return Buffer.from(texts.join(''));
  };
  const nameOf = (seq: number): string => `${PREFIX}${String(seq).padStart(20, '0')}.ndjson`;
  const pathOf = (seq: number): string => join(directory, nameOf(seq));
  const names = (): string[] => readdirSync(directory).toSorted((a, b) => a.localeCompare(b));

  it.each([
    ['is removed', (path: string) => rmSync(path)],
    ['is moved away', (path: string) => renameSync(path, `${path}.old`)],
    [
      'makes room for another one of its name',
      (path: string) => {
        renameSync(path, `${path}.old`);
        cpSync(`${path}.old`, path);
      },
    ],
  ])('begins a new file when the newest one %s: nothing is written where nobody finds it', async (_, take) => {
    const file = await recover();
    await file.append(1, 3, lines(1, 3));
    take(pathOf(1));
    await file.append(4, 5, lines(4, 5));
    expect(readFileSync(pathOf(4))).toEqual(lines(4, 5));
    await file.append(6, 6, lines(6, 6));
    expect(readFileSync(pathOf(4))).toEqual(lines(4, 6));
  });

  it('does not take lines for delivered whose file is removed while they are written', async () => {
    const file = await recover();
    await file.append(1, 3, lines(1, 3));
    const handle = await openFile(pathOf(1));
    const written = vi.spyOn(Object.getPrototypeOf(handle), 'sync').mockImplementation(async () => rmSync(pathOf(1)));
    onTestFinished(() => written.mockRestore());
    await handle.close();
    await expect(file.append(4, 4, lines(4, 4))).rejects.toMatchObject({ code: 'file_taken_away', retryable: true });
    expect(file.lastSeq).toBe(3);
  });

  it('names a file after stream, epoch and first seq', async () => {
    const file = await recover();
    expect(file.lastSeq).toBeUndefined();
    await file.append(5, 7, lines(5, 7));
    expect(names()).toEqual([nameOf(5)]);
    expect(readFileSync(pathOf(5))).toEqual(lines(5, 7));
    expect(file.lastSeq).toBe(7);
  });

  it('goes on in the newest file after a restart', async () => {
    await (await recover()).append(1, 3, lines(1, 3));
    const restarted = await recover();
    expect(restarted.lastSeq).toBe(3);
    await restarted.append(4, 5, lines(4, 5));
    expect(names()).toEqual([nameOf(1)]);
    expect(readFileSync(pathOf(1))).toEqual(lines(1, 5));
  });

  it('begins the next file when a batch would make it too large, and never splits one', async () => {
    const file = await recover(lines(1, 3).byteLength);
    await file.append(1, 2, lines(1, 2));
    await file.append(3, 4, lines(3, 4));
    await file.append(5, 20, lines(5, 20));
    await file.append(21, 21, lines(21, 21));
    expect(names()).toEqual([1, 3, 5, 21].map(nameOf));
    expect(readFileSync(pathOf(5))).toEqual(lines(5, 20));
    expect((await recover()).lastSeq).toBe(21);
  });

  it('cuts away a torn line, wherever a kill tore it', async () => {
    const whole = Buffer.concat([lines(1, 2), Buffer.from(line(3, '{"text":"Wärme"}'))]);
    const torn = fc.integer({ min: lines(1, 2).byteLength, max: whole.byteLength - 1 });
    await fc.assert(
      fc.asyncProperty(torn, async (length) => {
        writeFileSync(pathOf(1), whole.subarray(0, length));
        const file = await recover();
        expect(file.lastSeq).toBe(2);
        await file.append(3, 3, lines(3, 3));
        expect(readFileSync(pathOf(1))).toEqual(lines(1, 3));
        await file.close();
      }),
      { numRuns: 40 },
    );
  });

  it('cuts away zeros that a power cut left at the end', async () => {
    writeFileSync(pathOf(1), Buffer.concat([lines(1, 2), Buffer.alloc(5_000)]));
    expect((await recover()).lastSeq).toBe(2);
    expect(readFileSync(pathOf(1))).toEqual(lines(1, 2));
  });

  it('finds the last line behind a torn one that is longer than what is read at once', async () => {
    const long = line(3, JSON.stringify('x'.repeat(300_000)));
    writeFileSync(pathOf(1), Buffer.concat([lines(1, 2), Buffer.from(long.slice(0, -1))]));
    expect((await recover()).lastSeq).toBe(2);
    writeFileSync(pathOf(1), Buffer.concat([lines(1, 2), Buffer.from(long)]));
    expect((await recover()).lastSeq).toBe(3);
  });

  it('puts a file aside that holds no whole line, and goes on from the one before', async () => {
    await (await recover()).append(1, 3, lines(1, 3));
    writeFileSync(pathOf(4), line(4).slice(0, 40));
    const file = await recover();
    expect(file.lastSeq).toBe(3);
    await file.append(4, 4, lines(4, 4));
    expect(readFileSync(pathOf(1))).toEqual(lines(1, 4));
    expect(names()).toEqual([nameOf(1), `${nameOf(4)}.torn`]);
  });

  it('takes no notice of other streams, other epochs and other files', async () => {
    for (const name of [`events-${EPOCH}-`, 'telemetry-fedcba9876543210-']) {
      writeFileSync(join(directory, `${name}${'9'.repeat(20)}.ndjson`), lines(9, 9));
    }
    writeFileSync(join(directory, 'notes.txt'), 'hello');
    const file = await recover();
    expect(file.lastSeq).toBeUndefined();
    await file.append(1, 1, lines(1, 1));
    expect(existsSync(pathOf(1))).toBe(true);
  });

  it('never writes into a file that is there already', async () => {
    const file = await recover();
    writeFileSync(pathOf(1), 'precious');
    await expect(file.append(1, 1, lines(1, 1))).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readFileSync(pathOf(1), 'utf8')).toBe('precious');
  });

  it('finds its place in a large file without reading all of it', async () => {
    await (await recover(1 << 30)).append(1, 20_000, lines(1, 20_000));
    truncateSync(pathOf(1), statSync(pathOf(1)).size - 5);
    expect((await recover()).lastSeq).toBe(19_999);
  });
});
