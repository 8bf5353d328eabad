import { isIP } from 'node:net';
import { hostname } from 'node:os';

export interface Requester {
  /** The headers. */
  readonly origin: string | undefined;
  readonly host: string | undefined;
}

export interface OriginRule {
  /** `https://panel.example`: scheme, host, and port unless it is the usual one. */
  readonly allowedOrigins: readonly string[];
  /** Whether clients without a name are let in. */
  readonly anonymous: boolean;
  readonly tls: boolean;
}

/**
 * Keeps foreign web pages out: a browser lets every page open a WebSocket to everywhere, and names the page's origin.
 * A page of the very address that is asked may come, whatever its scheme: some clients that are no browser say `https`
 * always. By a name that others can make lead here (DNS rebinding) it may come only where it must log in.
 */
export function isAllowedOrigin({ origin, host }: Requester, rule: OriginRule): boolean {
  if (origin === undefined) return true;
  const page = URL.parse(origin);
  const asked = URL.parse(`${rule.tls ? 'https' : 'http'}://${host ?? ''}`);
  if (page === null || asked === null) return false;
  if (rule.allowedOrigins.includes(page.origin)) return true;
  return page.hostname === asked.hostname && portOf(page) === portOf(asked) && (!rule.anonymous || isOwn(asked));
}

function portOf({ protocol, port }: URL): string {
  return port === '' ? (protocol === 'https:' ? '443' : '80') : port;
}

/** Names that no foreign name server answers for. */
function isOwn({ hostname: name }: URL): boolean {
  const own = hostname().toLowerCase();
  return isIP(name.replace(/^\[|\]$/g, '')) !== 0 || ['localhost', own, `${own}.local`].includes(name);
}
