/** The real daemon as a child process, with its own directory and ports; started again on the same data as often as wanted. */

import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { endWithUs } from './end-with-us.ts';
import { freePort } from './free-port.ts';
import { waitFor } from './wait-for.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 20_000;

/** `source`: Node runs src/ directly; `launcher`: the build, through scripts/sluice, as users do. */
export type GatewayBuild = 'source' | 'launcher';

export interface GatewayOptions {
  /** Merged over a quiet default of one loopback listener each, no wait for the clock, and no uplink. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Default `source`. */
  readonly build?: GatewayBuild;
  /** Options for Node itself, such as a module to import first; with `source` only. */
  readonly nodeOptions?: readonly string[];
  /** `{directory}` in a value becomes the gateway's own directory. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface GatewayExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class GatewayProcess {
  readonly directory: string;
  readonly dataDir: string;
  readonly mqttPort: number;
  readonly apiPort: number;
  readonly configFile: string;
  readonly logFile: string;
  #command: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #exit: Promise<GatewayExit> | undefined;

  private constructor(options: GatewayOptions, ports: { readonly mqtt: number; readonly api: number }) {
    this.directory = mkdtempSync(join(tmpdir(), 'sluice-gateway-'));
    this.dataDir = join(this.directory, 'data');
    this.configFile = join(this.directory, 'sluice.yaml');
    this.logFile = join(this.directory, 'gateway.log');
    this.mqttPort = ports.mqtt;
    this.apiPort = ports.api;
    this.#command = options.build === 'launcher' ? [join(ROOT, 'scripts/sluice')] : fromSource(options.nodeOptions);
    const env = Object.entries(options.env ?? {});
    this.#env = Object.fromEntries(env.map(([name, value]) => [name, value.replaceAll('{directory}', this.directory)]));
    mkdirSync(this.dataDir);
    this.configure(options.config ?? {});
  }

  /** From the next start on, of the build `source`: a gateway that was broken by them is whole again. */
  forgetNodeOptions(): void {
    this.#command = fromSource();
  }

  /** Makes its directory and finds its ports; starts nothing. */
  static async create(options: GatewayOptions = {}): Promise<GatewayProcess> {
    return new GatewayProcess(options, { mqtt: await freePort(), api: await freePort() });
  }

  /** Writes the configuration for the next start. `{directory}` in any text becomes the gateway's own directory. */
  configure(config: Readonly<Record<string, unknown>>): void {
    const whole = {
      gateway: { id: 'test-gateway', dataDir: this.dataDir },
      clock: { waitForSync: '0s' },
      mqtt: { listeners: [{ host: '127.0.0.1', port: this.mqttPort }], maxPublishRate: 0 },
      buffer: { keepFree: '16MiB' },
      api: { listeners: [{ host: '127.0.0.1', port: this.apiPort }] },
      ...config,
    };
    writeFileSync(this.configFile, JSON.stringify(whole, null, 2).replaceAll('{directory}', this.directory));
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** File descriptors that are open. */
  get descriptorCount(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** Sockets that are open, listening ones too. */
  get socketCount(): number {
    const directory = `/proc/${this.pid}/fd`;
    return readdirSync(directory).filter((fd) => targetOf(join(directory, fd)).startsWith('socket:')).length;
  }

  /** Starts the process and returns at once. */
  launch(): void {
    const log = openSync(this.logFile, 'a');
    // The kernel ends the gateway when this process dies, however that happens.
    const args = ['--pdeathsig', 'KILL', ...this.#command, 'run', '--config', this.configFile];
    const child = spawn('setpriv', args, { stdio: ['ignore', log, log], env: { ...process.env, ...this.#env } });
    closeSync(log);
    endWithUs(child);
    this.#child = child;
    this.#exit = new Promise((done) => {
      child.once('error', () => done({ code: null, signal: null }));
      child.once('exit', (code, signal) => {
        if (this.#child === child) this.#child = undefined;
        done({ code, signal });
      });
    });
  }

  /** Resolves when /health/ready says 200. @throws Error with the end of the log when the process ends before. */
  async ready(): Promise<void> {
    const probe = async (): Promise<'ready' | 'ended' | false> => {
      if (this.#child === undefined) return 'ended';
      const response = await fetch(`http://127.0.0.1:${this.apiPort}/health/ready`, {
        // One that is kept alive would count among the gateway's sockets for seconds.
        headers: { connection: 'close' },
        signal: AbortSignal.timeout(2000),
      });
      await response.body?.cancel();
      return response.status === 200 ? 'ready' : false;
    };
    const state = await waitFor(probe, { what: 'the gateway to be ready', timeoutMs: READY_TIMEOUT_MS }).catch(
      (cause: unknown) => {
        throw new Error(`the gateway is not ready:\n${this.logTail()}`, { cause });
      },
    );
    if (state === 'ended') throw new Error(`the gateway ended before it was ready:\n${this.logTail()}`);
  }

  async start(): Promise<void> {
    this.launch();
    await this.ready();
  }

  /** Resolves when the process is gone; a process that outlives the deadline is killed, and that is an error. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<GatewayExit> {
    const child = this.#child;
    if (child === undefined || this.#exit === undefined) return (await this.#exit) ?? { code: 0, signal: null };
    let overdue = false;
    const timer = setTimeout(() => {
      overdue = true;
      child.kill('SIGKILL');
    }, STOP_TIMEOUT_MS);
    child.kill(signal);
    const exit = await this.#exit;
    clearTimeout(timer);
    if (overdue) throw new Error(`the gateway did not stop within ${STOP_TIMEOUT_MS} ms:\n${this.logTail()}`);
    return exit;
  }

  /** Resolves when the process ends by itself. */
  async exited(): Promise<GatewayExit> {
    return (await this.#exit) ?? { code: 0, signal: null };
  }

  /** The body of a GET, as JSON. */
  async get(path: string): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.apiPort}${path}`, { signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  logTail(lines = 30): string {
    return readFileSync(this.logFile, 'utf8').split('\n').slice(-lines).join('\n');
  }

  /** Kills the process if it still runs and removes everything it left. */
  async dispose(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Of a descriptor; nothing when it was closed meanwhile. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

function fromSource(nodeOptions: readonly string[] = []): readonly string[] {
  return [process.execPath, ...nodeOptions, join(ROOT, 'src/main.ts')];
}
