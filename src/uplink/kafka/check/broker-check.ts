import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { isIP, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { codeOf, messageOf, SluiceError } from '../../../core/errors.ts';
import { bounded } from '../../bounded.ts';
import type { CheckName, Report } from '../../check/report.ts';
import { connectTo, type Destination } from '../connect.ts';
import type { TlsIdentity } from '../credentials.ts';
import { tlsError } from '../tls-faults.ts';

const NEVER = new AbortController().signal;
const SOON_MS = 14 * 86_400_000;
const ADDRESS = /^\[?(.*?)\]?:(\d+)$/;

export interface BrokerCheck {
  /** `host:port`. */
  readonly address: string;
  readonly tls: TlsIdentity | undefined;
  readonly deadlineMs: number;
  readonly report: Report;
}

/** DNS, TCP and TLS of one broker, as far as it gets. */
export async function checkBroker({ address, tls, deadlineMs, report }: BrokerCheck): Promise<boolean> {
  const [, host = '', port] = ADDRESS.exec(address) ?? [];
  const plain: Destination = { host, port: Number(port), tls: undefined };
  const step = async (name: CheckName, look: () => Promise<string>): Promise<boolean> => {
    try {
      report.ok(name, address, await bounded(name, look(), { deadlineMs, signal: NEVER }));
      return true;
    } catch (error) {
      report.fail(name, address, explained(error, name));
      return false;
    }
  };
  if (isIP(host) === 0 && !(await step('dns', () => addressesOf(host)))) return false;
  if (!(await step('tcp', () => connected(plain, deadlineMs, () => 'takes connections')))) return false;
  if (tls === undefined) return true;
  return await step('tls', () =>
    connected({ ...plain, tls }, deadlineMs, (socket) => certificateOf(socket, address, report)),
  );
}

async function addressesOf(host: string): Promise<string> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address).join(', ');
}

async function connected(to: Destination, deadlineMs: number, see: (socket: Socket) => string): Promise<string> {
  const socket = connectTo(to, () => undefined);
  try {
    const signal = AbortSignal.timeout(deadlineMs);
    await once(socket, to.tls === undefined ? 'connect' : 'secureConnect', { signal });
    return see(socket);
  } finally {
    socket.on('error', () => undefined);
    socket.destroy();
  }
}

function certificateOf(socket: Socket, address: string, report: Report): string {
  if (!(socket instanceof TLSSocket)) return '';
  const { subject, valid_to: validTo } = socket.getPeerCertificate();
  const until = new Date(validTo);
  if (until.getTime() < Date.now() + SOON_MS) {
    report.warn('tls', address, `the certificate expires on ${until.toISOString()}`, 'renew it at the broker');
  }
  return `${socket.getProtocol()}, certificate of ${subject?.CN ?? 'no name'}, valid until ${until.toISOString()}`;
}

function explained(error: unknown, step: CheckName): SluiceError {
  const code = codeOf(error);
  const known = tlsError(code, messageOf(error));
  if (known !== undefined) return known;
  if (step === 'tls') {
    const hint = 'check that this port speaks TLS, else set tls to false';
    return new SluiceError(`no encrypted connection comes about (${messageOf(error)})`, { code: 'tls_failed', hint });
  }
  return new SluiceError(messageOf(error), { code: code ?? step, hint: hintFor(step, code) });
}

function hintFor(step: CheckName, code: string | undefined): string {
  if (step === 'dns') return 'check the name, and the DNS server of this machine';
  if (code === 'ECONNREFUSED') return 'nothing listens there: check the port, and that Kafka runs';
  return 'check the way there: routes, firewalls, and that the machine is on';
}
