import { join } from 'node:path';
import { DgramSocket } from 'node-unix-socket';
import type { GatewayProcess } from '../../support/gateway-process.ts';

export const WATCHDOG_MS = 8_000;

/** What systemd is to a service: it hears from READY on that all goes well, and ends with SIGABRT a process that says nothing for too long. */
export class Watchdog {
  readonly #gateway: GatewayProcess;
  readonly #socket = new DgramSocket();
  #timer: NodeJS.Timeout | undefined;
  bitCount = 0;

  constructor(gateway: GatewayProcess) {
    this.#gateway = gateway;
  }

  static path(directory: string): string {
    return join(directory, 'notify.sock');
  }

  start(): void {
    this.#socket.bind(Watchdog.path(this.#gateway.directory));
    this.#socket.on('data', (message) => {
      if (!/^(READY|WATCHDOG)=1/m.test(message.toString())) return;
      const { pid } = this.#gateway;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#bite(pid), WATCHDOG_MS);
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#socket.close();
  }

  /** Who has ended meanwhile, and what was started in its place, is left alone. */
  #bite(pid: number | undefined): void {
    if (pid === undefined || pid !== this.#gateway.pid) return;
    this.bitCount += 1;
    process.kill(pid, 'SIGABRT');
  }
}
