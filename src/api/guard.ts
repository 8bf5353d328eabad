import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { SluiceError } from '../core/errors.ts';

export interface GuardOptions {
  /** Further host names the listener answers to, whatever the port: a proxy or a name service may know it by them. */
  readonly hosts: readonly string[];
  /** Origins whose pages may do what the gateway's own may, `https://panel.example.net`. */
  readonly origins: readonly string[];
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const DEFAULT_PORTS = { http: 80, https: 443 } as const;
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Keeps foreign web pages out. Whoever asks by another name was led here by DNS rebinding; a page of another origin
 * may look (the browser hides the answer from it) but not change anything.
 */
export class RequesterGuard {
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;
  readonly #ownHosts = new WeakMap<Socket, readonly string[]>();

  constructor({ hosts, origins }: GuardOptions) {
    this.#hosts = new Set(hosts.map((host) => host.toLowerCase()));
    this.#origins = new Set(origins.map((origin) => origin.toLowerCase()));
  }

  /** @throws SluiceError `host_not_allowed`, `origin_not_allowed` */
  check({ method, headers, socket }: IncomingMessage): void {
    const own = this.#ownHostsOf(socket);
    const host = headers.host?.toLowerCase() ?? '';
    const scheme = schemeOf(socket);
    if (!own.includes(host) && !this.#hosts.has(host.replace(/:\d+$/, ''))) {
      throw new SluiceError('the API does not answer to this host name', {
        code: 'host_not_allowed',
        hint: `Ask for ${scheme}://${own[0]}/ instead, or name the host in api.allowedHosts.`,
      });
    }
    const { origin } = headers;
    if (origin === undefined || SAFE_METHODS.has(method ?? '')) return;
    const asked = origin.toLowerCase();
    if (asked === `${scheme}://${host}` || this.#origins.has(asked)) return;
    throw new SluiceError('a page of another origin may not change anything here', {
      code: 'origin_not_allowed',
      hint: 'Send the request without a browser, or from a page of the gateway itself, or name the origin in api.corsOrigins.',
    });
  }

  #ownHostsOf(socket: Socket): readonly string[] {
    const known = this.#ownHosts.get(socket);
    if (known !== undefined) return known;
    const { localAddress = '', localPort = 0 } = socket;
    const hosts = ownHosts(localAddress, localPort, localPort === DEFAULT_PORTS[schemeOf(socket)]);
    this.#ownHosts.set(socket, hosts);
    return hosts;
  }
}

function schemeOf(socket: Socket): keyof typeof DEFAULT_PORTS {
  return 'encrypted' in socket ? 'https' : 'http';
}

function ownHosts(address: string, port: number, isDefaultPort: boolean): readonly string[] {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  const names = [...LOOPBACK_NAMES, plain.includes(':') ? `[${plain}]` : plain];
  const withPort = names.map((name) => `${name}:${port}`);
  return isDefaultPort ? [...withPort, ...names] : withPort;
}
