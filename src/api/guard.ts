import type { IncomingMessage } from 'node:http';
import { SluiceError } from '../core/errors.ts';

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const HTTP_PORT = 80;
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Keeps foreign web pages out. Whoever asks by another name was led here by DNS rebinding; a page of another origin
 * may look (the browser hides the answer from it) but not change anything.
 * @throws SluiceError `host_not_allowed`, `origin_not_allowed`
 */
export function checkRequester({ method, headers, socket }: IncomingMessage): void {
  const hosts = allowedHosts(socket.localAddress, socket.localPort);
  const host = headers.host?.toLowerCase() ?? '';
  if (!hosts.includes(host)) {
    throw new SluiceError('the API does not answer to this host name', {
      code: 'host_not_allowed',
      hint: `Ask for http://${hosts[0]}/ instead.`,
    });
  }
  const { origin } = headers;
  if (origin === undefined || SAFE_METHODS.has(method ?? '') || origin.toLowerCase() === `http://${host}`) return;
  throw new SluiceError('a page of another origin may not change anything here', {
    code: 'origin_not_allowed',
    hint: 'Send the request without a browser, or from a page of the gateway itself.',
  });
}

function allowedHosts(address: string | undefined, port: number | undefined): readonly string[] {
  const own = address?.includes(':') === true ? `[${address}]` : address;
  const names = own === undefined ? LOOPBACK_NAMES : [...LOOPBACK_NAMES, own];
  const withPort = names.map((name) => `${name}:${port}`);
  return port === HTTP_PORT ? [...withPort, ...names] : withPort;
}
