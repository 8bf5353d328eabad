import { Buffer } from 'node:buffer';
import { execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SerialThread } from '../../src/gateway/serial-thread.ts';
import { CommandBook } from '../../src/sources/serial/commands/command-book.ts';
import { createFraming } from '../../src/sources/serial/framing/create-framing.ts';
import { type OpenPort, openPort, type PortToOpen } from '../../src/sources/serial/open-port.ts';
import type { LineSettings } from '../../src/sources/serial/options.ts';
import { PortLife, type PortState } from '../../src/sources/serial/port-life.ts';
import { turnName } from '../../src/sources/serial/port-lock.ts';
import { PortSession } from '../../src/sources/serial/port-session.ts';
import type { OpenReading } from '../../src/sources/serial/reading/port-reading.ts';
import { readHere } from '../../src/sources/serial/reading/read-here.ts';
import type { OpenerMessage, Opening } from '../support/port-opener.ts';
import { PtyPair } from '../support/pty-pair.ts';
import { unwatched } from '../support/unwatched.ts';
import { waitFor } from '../support/wait-for.ts';

const LINE: LineSettings = { baudRate: 115_200, dataBits: 8, stopBits: 1, parity: 'none', flowControl: 'none' };
const SOON = { timeoutMs: 10_000 };
const OPENER = join(import.meta.dirname, '../support/port-opener.ts');

let pair: PtyPair;
let thread: SerialThread;
const opened: OpenPort[] = [];

async function device(): Promise<OpenPort> {
  const port = await openPort({ path: pair.devicePath, line: LINE, lock: false });
  opened.push(port);
  return port;
}

class Heard {
  readonly states: string[] = [];
  text = '';
  readonly #ending = new AbortController();
  readonly #open: typeof openPort;
  #ended: Promise<void> = Promise.resolve();

  constructor(open: typeof openPort) {
    this.#open = open;
  }

  start({ silenceTimeout = 0, path = pair.path } = {}): this {
    const life = new PortLife({
      options: { path, line: LINE, lock: true, silenceTimeout },
      open: this.#open,
      listen: () => ({
        take: (bytes) => {
          this.text += bytes.toString();
        },
        closed: () => undefined,
      }),
      onState: (state) => this.states.push(named(state)),
    });
    this.#ended = life.run(this.#ending.signal);
    return this;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#ended;
  }
}

function named(state: PortState): string {
  if (state.kind === 'refused') return `refused ${state.error.code}`;
  return state.kind === 'closed' ? `closed ${state.end}` : state.kind;
}

/** More than both ends of a pair and the one that joins them hold; and more than a ring holds beside them. */
const SOME_BYTES = 100_000;
const MUCH_BYTES = 400_000;
const NOT_SOON_MS = 1_000;

/** Another program, which writes numbers to the device's end and waits until they are taken. */
function sender(byteCount: number) {
  const text = Array.from({ length: byteCount / 8 }, (_, index) => String(index).padStart(8, '0')).join('');
  const file = `${pair.devicePath}-text`;
  writeFileSync(file, text);
  const script = 'dd if="$0" of="$1" bs=256 conv=notrunc status=none; touch "$0-written"';
  const child = spawn('sh', ['-c', script, file, pair.devicePath], { stdio: 'ignore' });
  return {
    text,
    sent: once(child, 'exit'),
    isWritten: () => existsSync(`${file}-written`),
    writtenBytes: () => writtenBy(childOf(child.pid ?? 0)),
  };
}

function childOf(pid: number): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
}

function writtenBy(pid: string): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1]);
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

beforeEach(() => {
  pair = new PtyPair();
  thread = new SerialThread({
    watch: unwatched(),
    onDeath: (error) => {
      throw error;
    },
  });
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((port) => port.close()));
  await thread.stop();
  await pair.dispose();
});

describe.each([
  ['here', readHere],
  ['by a thread of its own', (...port) => thread.open(...port)],
] satisfies [string, OpenReading][])('a serial port that is read %s', (_where, openReading) => {
  const openForGateway = (port: PortToOpen): Promise<OpenPort> => openPort(port, openReading);

  it('is read from the moment it appears, and again when it was plugged in anew', async () => {
    const heard = new Heard(openForGateway).start();
    await waitFor(() => heard.states.at(-1) === 'absent', { what: 'its absence to be told', ...SOON });
    for (const text of ['one ', 'two ']) {
      await pair.plug();
      await waitFor(() => heard.states.at(-1) === 'open', { what: 'the port to be opened', ...SOON });
      await (await device()).write(Buffer.from(text));
      await waitFor(() => heard.text.endsWith(text), { what: 'the bytes', ...SOON });
      await pair.unplug();
      await waitFor(() => heard.states.at(-1) === 'absent', { what: 'the port to be gone', ...SOON });
    }
    await heard.stop();
    expect(heard.text).toBe('one two ');
    expect(heard.states).toEqual(['absent', 'open', 'closed gone', 'absent', 'open', 'closed gone', 'absent']);
  });

  it('is that to which its link leads, and another one when the link does', async () => {
    const first = pair;
    await first.plug();
    const path = `${first.path}-link`;
    symlinkSync(first.path, path);
    const heard = new Heard(openForGateway).start({ path });
    await waitFor(() => heard.states.at(-1) === 'open', { what: 'the port to be opened', ...SOON });
    pair = new PtyPair();
    try {
      await pair.plug();
      symlinkSync(pair.path, `${path}-new`);
      renameSync(`${path}-new`, path);
      await waitFor(() => heard.states.length === 3, { what: 'the other port to be opened', ...SOON });
      await (await device()).write(Buffer.from('other'));
      await waitFor(() => heard.text === 'other', { what: 'the bytes', ...SOON });
      expect(heard.states).toEqual(['open', 'closed gone', 'open']);
    } finally {
      await heard.stop();
      await first.dispose();
    }
  });

  it('is opened anew when it says nothing for too long', async () => {
    await pair.plug();
    const heard = new Heard(openForGateway).start({ silenceTimeout: 600 });
    await waitFor(() => heard.states.length >= 3, { what: 'the port to be opened twice', ...SOON });
    await heard.stop();
    expect(heard.states.slice(0, 3)).toEqual(['open', 'closed silent', 'open']);
  });

  it('is read by one program alone, and by this one as soon as the other lets go', async () => {
    await pair.plug();
    const other = await openForGateway({ path: pair.path, line: LINE, lock: true });
    const heard = new Heard(openForGateway).start();
    await waitFor(() => heard.states.at(-1) === 'refused serial_in_use', { what: 'the refusal', ...SOON });
    await other.close();
    await waitFor(() => heard.states.at(-1) === 'open', { what: 'the port to be opened', ...SOON });
    await heard.stop();
  });

  it('keeps its settings when another program is refused', async () => {
    await pair.plug();
    const settings = () => execFileSync('stty', ['-F', pair.path, '-a'], { encoding: 'utf8' });
    opened.push(
      await openForGateway({ path: pair.path, line: { ...LINE, stopBits: 2, flowControl: 'software' }, lock: true }),
    );
    const before = settings();
    expect(before).toMatch(/ cstopb.* ixon ixoff/s);
    await expect(openForGateway({ path: pair.path, line: LINE, lock: true })).rejects.toMatchObject({
      code: 'serial_in_use',
    });
    expect(settings()).toBe(before);
  });

  it('is had by one of two programs that open it in the same instant, with its settings', async () => {
    await pair.plug();
    const openers = ['1', '2'].map((stopBits) => fork(OPENER, [pair.path, stopBits]));
    const told = (message: OpenerMessage): Promise<string[]> => {
      const answers = openers.map(async (opener) => ((await once(opener, 'message')) as [Opening])[0].code);
      for (const opener of openers) opener.send(message);
      return Promise.all(answers);
    };
    try {
      await Promise.all(openers.map((opener) => once(opener, 'message')));
      for (let round = 0; round < 20; round += 1) {
        const answers = await told({ openAt: Date.now() + 10 });
        const settings = execFileSync('stty', ['-F', pair.path, '-a'], { encoding: 'utf8' });
        const refused = answers.filter((answer) => answer === 'serial_in_use');
        expect([refused.length, answers.indexOf('open')]).toEqual([1, settings.includes(' -cstopb') ? 0 : 1]);
        await told('close');
      }
    } finally {
      for (const opener of openers) opener.disconnect();
    }
  });

  it('is opened although another program has taken the turn and keeps it', async () => {
    await pair.plug();
    const squatter = createServer().listen({ path: await turnName(pair.path) });
    try {
      await once(squatter, 'listening');
      opened.push(await openForGateway({ path: pair.path, line: LINE, lock: true }));
    } finally {
      squatter.close();
    }
  });

  it('says one frame where silence divides them, however long the gateway was busy meanwhile', async () => {
    await pair.plug();
    const port = await openForGateway({ path: pair.path, line: LINE, lock: true });
    opened.push(port);
    const other = openSync(pair.devicePath, 'r+');
    const frames: string[] = [];
    const framing = createFraming({ kind: 'inter-byte-timeout', gapMs: 50, maxFrameBytes: 100 });
    const session = new PortSession({
      framing,
      port,
      speakers: { speaks: () => undefined, gone: () => undefined },
      taker: {
        heard: () => undefined,
        room: () => undefined,
        frame: (payload) => frames.push(`${payload}`),
        bad: (reason) => frames.push(reason),
        answered: () => undefined,
      },
      device: null,
      commands: new CommandBook('a', [], framing),
      readyAfterMs: 0,
      onReachable: () => undefined,
    });
    let isStalled = false;
    void port.read((bytes) => {
      const waiting = session.take(bytes);
      if (!isStalled) {
        isStalled = true;
        writeSync(other, 'BBBB');
        const until = performance.now() + 100;
        while (performance.now() < until);
      }
      return waiting;
    });
    writeSync(other, 'AAAA');
    await waitFor(() => frames.length > 0, { what: 'the frame', ...SOON });
    closeSync(other);
    expect(frames).toEqual(['AAAABBBB']);
  });

  it('that is hung up while nobody reads ends what is read of it next', async () => {
    await pair.plug();
    const port = await openForGateway({ path: pair.path, line: LINE, lock: true });
    opened.push(port);
    const isHeard = Promise.withResolvers<void>();
    const isUnplugged = Promise.withResolvers<void>();
    const reading = port.read(() => {
      isHeard.resolve();
      return isUnplugged.promise;
    });
    await (await device()).write(Buffer.from('x'));
    await isHeard.promise;
    await pair.unplug();
    isUnplugged.resolve();
    await reading;
  });

  it('that is no serial port is refused with what to do', async () => {
    await pair.dispose();
    pair = new PtyPair();
    writeFileSync(`${pair.path}.txt`, '');
    symlinkSync(`${pair.path}.txt`, pair.path);
    await expect(openForGateway({ path: pair.path, line: LINE, lock: true })).rejects.toMatchObject({
      code: 'serial_no_port',
      hint: expect.stringContaining('sluice serial list'),
    });
  });

  it('leaves no descriptor behind, however often it comes and goes', async () => {
    const heard = new Heard(openForGateway).start();
    await pair.plug();
    await waitFor(() => heard.states.at(-1) === 'open', { what: 'the port to be opened', ...SOON });
    await pair.unplug();
    await waitFor(() => heard.states.at(-1) === 'absent', { what: 'the port to be gone', ...SOON });
    const before = descriptors();
    for (let cycle = 0; cycle < 5; cycle += 1) {
      await pair.plug();
      await waitFor(() => heard.states.at(-1) === 'open', { what: 'the port to be opened', ...SOON });
      await pair.unplug();
      await waitFor(() => heard.states.at(-1) === 'absent', { what: 'the port to be gone', ...SOON });
    }
    await waitFor(() => descriptors() <= before, {
      what: () => `${before} descriptors, now ${descriptors()}`,
      ...SOON,
    });
    await heard.stop();
  });

  it.each([
    ['none', 200_000],
    ['software', 90_000],
  ] as const)(
    'gives all that comes, in order, however long nobody takes it: flow control %s',
    async (flowControl, most) => {
      await pair.plug();
      const port = await openForGateway({ path: pair.path, line: { ...LINE, flowControl }, lock: true });
      opened.push(port);
      const { promise: taken, resolve: take } = Promise.withResolvers<void>();
      let heard = '';
      void port.read((bytes) => {
        heard += bytes.toString('latin1');
        return taken;
      });
      const { writtenBytes, sent, text } = sender(MUCH_BYTES);
      await waitFor(() => heard !== '', { what: 'the first bytes', ...SOON });
      let before = 0;
      const isHeldUp = (): boolean => {
        const [was, now] = [before, writtenBytes()];
        before = now;
        return now === was;
      };
      await waitFor(isHeldUp, { what: 'the other end to be held up', ...SOON, everyMs: 300 });
      expect(before).toBeLessThan(most);
      take();
      await waitFor(() => heard.length === text.length, { what: () => `all bytes, now ${heard.length}`, ...SOON });
      expect(heard).toBe(text);
      await sent;
    },
  );
});

it('a serial port is set before it is opened for reading: one that waits for a carrier would hold up the thread', async () => {
  await pair.plug();
  execFileSync('stty', ['-F', pair.path, '-clocal', 'icanon', 'echo']);
  let settings = '';
  const openReading: OpenReading = (path, options) => {
    settings = execFileSync('stty', ['-F', path, '-a'], { encoding: 'utf8' });
    return readHere(path, options);
  };
  opened.push(await openPort({ path: pair.path, line: LINE, lock: true }, openReading));
  expect(settings).toMatch(/ clocal.* -icanon.* -echo /s);
});

describe('a thread that reads serial ports', () => {
  it.each([
    ['goes on while the one that decodes is busy', true],
    ['is what does it: without one the line waits', false],
  ])('%s', async (_what, isApart) => {
    await pair.plug();
    const port = await openPort({ path: pair.path, line: LINE, lock: true }, isApart ? thread.open : readHere);
    opened.push(port);
    let heard = '';
    let wasWritten = false;
    const { isWritten, sent, text } = sender(SOME_BYTES);
    void port.read((bytes) => {
      const until = performance.now() + (isApart ? SOON.timeoutMs : NOT_SOON_MS);
      if (heard === '') while (!isWritten() && performance.now() < until);
      wasWritten ||= heard === '' && isWritten();
      heard += bytes.toString('latin1');
      return undefined;
    });
    await waitFor(() => heard.length === text.length, { what: () => `all bytes, now ${heard.length}`, ...SOON });
    expect([heard === text, wasWritten]).toEqual([true, isApart]);
    await sent;
  });
});
