import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endWithUs } from './end-with-us.ts';
import { kafkaArchive, kafkaJars } from './kafka-install.ts';
import { waitFor } from './wait-for.ts';

export const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 60_000;
/** So that they start on two cores beside a gateway: no second compiler, which pays after minutes. */
const QUICK_START = ['-XX:TieredStopAtLevel=1'];

export interface KafkaProcessOptions {
  /** Lines of server.properties, but for where the data stand. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** Default 512. */
  readonly heapMb?: number;
  /** It runs for many minutes, or is measured: worth Java's second compiler. */
  readonly isLasting?: boolean;
  /** Beside those. */
  readonly javaOptions?: readonly string[];
  /** Whether it serves clients; asked again and again, may throw until it does. */
  readonly answers: () => Promise<unknown>;
}

/** One Kafka with a directory of its own, ended and started again on the same data as often as wanted. */
export class KafkaProcess {
  readonly directory: string;
  readonly logFile: string;
  readonly #options: KafkaProcessOptions;
  readonly #jars: string;
  readonly #archive: readonly string[];
  readonly #properties: string;
  #child: ChildProcess | undefined;

  constructor(options: KafkaProcessOptions) {
    this.#options = options;
    this.#jars = kafkaJars();
    const archive = kafkaArchive(this.#jars);
    this.#archive = existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : [];
    this.directory = mkdtempSync(join(tmpdir(), 'sluice-kafka-'));
    this.logFile = join(this.directory, 'kafka.log');
    this.#properties = join(this.directory, 'server.properties');
    const lines = Object.entries({ ...options.properties, 'log.dirs': join(this.directory, 'data') });
    writeFileSync(this.#properties, lines.map(([name, value]) => `${name}=${value}\n`).join(''));
    writeFileSync(join(this.directory, 'log4j2.properties'), LOG4J);
  }

  /** Makes its data directory; `more`: options of Kafka's own tool. */
  format(clusterId: string, more: readonly string[] = []): void {
    // In one word: an id may begin with a dash, and would be taken for an option.
    this.java('kafka.tools.StorageTool', 'format', `--cluster-id=${clusterId}`, '-c', this.#properties, ...more);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const log = openSync(this.logFile, 'a');
    // The kernel ends the broker when this process dies, however that happens.
    const command = ['--pdeathsig', 'KILL', 'java', ...this.#java('kafka.Kafka'), this.#properties];
    const child = spawn('setpriv', command, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    endWithUs(child);
    await waitFor(() => this.#answers(child), {
      what: () => `Kafka to answer\n${this.#logTail()}`,
      timeoutMs: START_TIMEOUT_MS,
      everyMs: 50,
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Resolves when the process is gone, which is killed when it takes too long. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    const hard = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exit;
    clearTimeout(hard);
  }

  /** Ends it and removes its directory. */
  async remove(): Promise<void> {
    this.signal('SIGCONT');
    await this.end('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Runs a Java class with Kafka's jars, or a .java file. */
  java(...args: readonly string[]): string {
    const run = spawnSync('java', this.#java(...args), { encoding: 'utf8', maxBuffer: 1 << 30 });
    if (run.status !== 0) throw new Error(`java ${args[0]} failed:\n${run.stderr}${run.stdout}`);
    return run.stdout;
  }

  /** Program and arguments of the same. */
  javaCommand(...args: readonly string[]): [program: string, ...args: string[]] {
    return ['java', ...this.#java(...args)];
  }

  #java(...args: readonly string[]): string[] {
    const { heapMb = 512, isLasting = false, javaOptions = [] } = this.#options;
    const log4j = `-Dlog4j2.configurationFile=file:${join(this.directory, 'log4j2.properties')}`;
    return [
      `-Xmx${heapMb}m`,
      ...(isLasting ? [] : QUICK_START),
      ...this.#archive,
      ...javaOptions,
      '-XX:+UseSerialGC',
      log4j,
      '-cp',
      `${this.#jars}/*`,
      ...args,
    ];
  }

  async #answers(child: ChildProcess): Promise<boolean> {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`Kafka ended while starting:\n${this.#logTail()}`);
    }
    await this.#options.answers();
    return true;
  }

  #logTail(): string {
    return readFileSync(this.logFile, 'utf8').slice(-4_000);
  }
}

const LOG4J = `
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %m (%c{1})%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
`;
