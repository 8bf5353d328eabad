import { execFile } from 'node:child_process';
import { messageOf } from '../core/errors.ts';
import type { Logger } from './logger.ts';

/** Tells the service manager how the process is, as sd_notify(3) describes; does nothing where nobody listens. */
export interface ServiceManager {
  /** After which silence it ends the process; undefined when it does not watch. */
  readonly watchdogMs: number | undefined;
  ready(): Promise<void>;
  stopping(): Promise<void>;
  /** One line for `systemctl status`. */
  status(text: string): Promise<void>;
  /** Feeds the watchdog six times within its time-out, as long as `isAlive` says that work goes on; asked once per feeding. */
  feedWatchdog(isAlive: () => boolean): void;
  close(): void;
}

export interface ServiceManagerOptions {
  readonly logger: Logger;
  /** `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are read from it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The command used when no datagram socket can be had. */
  readonly notifyCommand?: string;
}

/** Sends one datagram; rejects when it cannot be handed over. */
interface Messenger {
  send(message: string): Promise<void>;
  close(): void;
}

const COMMAND_DEADLINE_MS = 2_000;
const MICROSECONDS_PER_MS = 1_000;
/** Within the time-out. sd_watchdog_enabled(3) asks for two; with more, one that was withheld is soon made up for. */
const FEEDINGS = 6;

/** Node has no Unix datagram sockets; the package that has them is optional and knows no abstract addresses. */
async function openMessenger(socketPath: string, command: string): Promise<Messenger> {
  if (socketPath.startsWith('/')) {
    try {
      const { DgramSocket } = await import('node-unix-socket');
      return socketMessenger(new DgramSocket(), socketPath);
    } catch {
      return commandMessenger(socketPath, command);
    }
  }
  return commandMessenger(socketPath, command);
}

interface DatagramSocket {
  sendTo(bytes: Buffer, offset: number, length: number, path: string, done: (error?: Error) => void): void;
  on(event: 'error', listener: () => void): unknown;
  close(): void;
}

function socketMessenger(socket: DatagramSocket, socketPath: string): Messenger {
  socket.on('error', () => socket.close());
  return {
    send(message) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const bytes = Buffer.from(message, 'utf8');
      socket.sendTo(bytes, 0, bytes.byteLength, socketPath, (error) => (error ? reject(error) : resolve()));
      return promise;
    },
    close: () => socket.close(),
  };
}

function commandMessenger(socketPath: string, command: string): Messenger {
  const environment = { ...process.env, NOTIFY_SOCKET: socketPath };
  return {
    send(message) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const options = { env: environment, timeout: COMMAND_DEADLINE_MS };
      execFile(command, ['--no-block', message], options, (error) => (error ? reject(error) : resolve()));
      return promise;
    },
    close: () => undefined,
  };
}

/** In milliseconds; undefined when it is not meant for us. See sd_watchdog_enabled(3). */
function watchdogTimeout(environment: ServiceManagerOptions['environment']): number | undefined {
  const timeoutUsec = Number(environment['WATCHDOG_USEC'] ?? 0);
  const pid = environment['WATCHDOG_PID'];
  if (!(timeoutUsec > 0) || (pid !== undefined && pid !== String(process.pid))) return undefined;
  return timeoutUsec / MICROSECONDS_PER_MS;
}

export function createServiceManager(options: ServiceManagerOptions): ServiceManager {
  const socketPath = options.environment['NOTIFY_SOCKET'];
  if (!socketPath) return NOBODY;
  return new NotifySocket(openMessenger(socketPath, options.notifyCommand ?? 'systemd-notify'), options);
}

const NOBODY: ServiceManager = {
  watchdogMs: undefined,
  ready: () => Promise.resolve(),
  stopping: () => Promise.resolve(),
  status: () => Promise.resolve(),
  feedWatchdog: () => undefined,
  close: () => undefined,
};

class NotifySocket implements ServiceManager {
  readonly watchdogMs: number | undefined;
  readonly #messenger: Promise<Messenger>;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #failed: boolean = false;
  #starving: boolean = false;

  constructor(messenger: Promise<Messenger>, { logger, environment }: ServiceManagerOptions) {
    this.#messenger = messenger;
    this.#logger = logger;
    this.watchdogMs = watchdogTimeout(environment);
  }

  ready(): Promise<void> {
    return this.#send('READY=1');
  }

  stopping(): Promise<void> {
    return this.#send('STOPPING=1');
  }

  status(text: string): Promise<void> {
    return this.#send(`STATUS=${text.replaceAll('\n', ' ')}`);
  }

  feedWatchdog(isAlive: () => boolean): void {
    if (this.watchdogMs === undefined || this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#feed(isAlive()), this.watchdogMs / FEEDINGS);
  }

  close(): void {
    clearInterval(this.#timer);
    void this.#messenger.then((messenger) => messenger.close());
  }

  #feed(alive: boolean): void {
    if (alive) void this.#send('WATCHDOG=1');
    else if (!this.#starving) this.#logger.error({}, 'no progress: the watchdog is not fed');
    this.#starving = !alive;
  }

  /** Never rejects: a manager that does not listen is no reason to stop. */
  async #send(message: string): Promise<void> {
    try {
      await (await this.#messenger).send(message);
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#logger.warn({ reason: messageOf(error) }, 'the service manager cannot be told');
      this.#failed = true;
    }
  }
}
