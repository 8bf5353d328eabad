import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { nearest } from '../config/nearest.ts';
import { SluiceError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { CONFIG_OPTION, type Command, EXIT, type Input, type Io, JSON_OPTION, textOf, UsageError } from './command.ts';
import { type KnownDevice, withDevices } from './device-admin.ts';
import { importDevices } from './device-import.ts';
import { tableLines } from './format.ts';

const HELP = `Usage: sluice device add ID [--secret SECRET] [--config FILE] [--json]
       sluice device list [--config FILE] [--json]
       sluice device remove ID [--config FILE] [--json]
       sluice device import FILE [--dry-run] [--config FILE] [--json]

Says which devices may log in. Their id is the user name, their secret the password. On loopback listeners no login
is needed. With a gateway running it is asked, else its files are changed.

import takes over the users of a mosquitto password file (hashes $7$ and $6$): they keep their passwords. Exit code 1
when one of them is left out.

  --secret SECRET   the secret, at least 16 characters; made at random when left out, and shown this once
  --dry-run         says what would be imported, changes nothing
  --config FILE     the gateway's configuration, default /etc/sluice/sluice.yaml
  --json            for programs
`;

/** Resolves with the exit code. */
type Action = (input: Input, config: Config, io: Io) => Promise<number>;

const ACTIONS: Readonly<Record<string, Action>> = { add, list, remove, import: importDevices };

export const device: Command = {
  name: 'device',
  summary: 'say which devices may log in: add, list, remove, import',
  help: HELP,
  options: { ...CONFIG_OPTION, ...JSON_OPTION, secret: { type: 'string' }, 'dry-run': { type: 'boolean' } },
  maxPositionals: 2,
  async run(input, io) {
    const [name, id] = input.positionals;
    const action = actionOf(name);
    if (name === 'list' && id !== undefined) throw new UsageError(`unexpected argument ${printable(id)}`);
    if (name === 'import' && id === undefined) throw new UsageError('device import needs a FILE');
    if (name !== 'list' && id === undefined) throw new UsageError(`device ${name} needs the ID of a device`);
    if (name !== 'add' && input.values['secret'] !== undefined) throw new UsageError('--secret belongs to device add');
    if (name !== 'import' && input.values['dry-run'] === true) {
      throw new UsageError('--dry-run belongs to device import');
    }
    const { config } = loadConfig({ file: textOf(input, 'config'), env: io.env });
    return await action(input, config, io);
  },
};

function actionOf(name: string | undefined): Action {
  if (name === undefined) throw new UsageError('device needs to know what to do: add, list, remove or import');
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action !== undefined) return action;
  const meant = nearest(name, Object.keys(ACTIONS));
  throw new UsageError(
    `unknown command device ${printable(name)}${meant === undefined ? '' : `, probably device ${meant}`}`,
  );
}

async function add({ positionals, values }: Input, config: Config, io: Io): Promise<number> {
  const [, id = ''] = positionals;
  const given = typeof values['secret'] === 'string' ? values['secret'] : undefined;
  const secret = await withDevices(config, (admin) => admin.add(id, given));
  const made = given === undefined ? secret : undefined;
  if (values['json'] === true) return say(io, `${JSON.stringify({ id, secret: made })}\n`);
  const shown = made === undefined ? '.\n' : `. Its secret, which is shown this once:\n\n  ${made}\n`;
  return say(io, `Device ${id} can log in now${shown}${exampleText(config, id, made)}`);
}

async function list({ values }: Input, config: Config, io: Io): Promise<number> {
  const devices = await withDevices(config, (admin) => admin.list());
  if (values['json'] === true) return say(io, `${JSON.stringify({ devices })}\n`);
  if (devices.length === 0) return say(io, 'No device is known yet.\n');
  const rows = devices.map(deviceRow);
  return say(io, `${tableLines([['device', 'login', 'online', 'last seen'], ...rows], { right: [] }).join('\n')}\n`);
}

function deviceRow({ id, provisioned, online, last_seen_at }: KnownDevice): readonly string[] {
  const connected = online === null ? '?' : online ? 'yes' : 'no';
  return [printable(id, 128), provisioned ? 'yes' : 'no', connected, last_seen_at ?? 'never'];
}

async function remove({ positionals, values }: Input, config: Config, io: Io): Promise<number> {
  const [, id = ''] = positionals;
  const removed = await withDevices(config, (admin) => admin.remove(id));
  if (!removed) {
    const hint = 'those that are known are shown by sluice device list';
    throw new SluiceError(`there is no device ${printable(id)}`, { code: 'device_not_found', hint });
  }
  return say(io, values['json'] === true ? `${JSON.stringify({ id, removed })}\n` : `Device ${id} is removed.\n`);
}

function say(io: Io, text: string): number {
  io.out(text);
  return EXIT.done;
}

/**
 * A line that publishes as the device, at a listener that asks for the secret where there is one. A secret that
 * somebody gave is not repeated: who reads along should not learn it.
 */
function exampleText({ mqtt: { listeners } }: Config, id: string, secret = 'SECRET'): string {
  const reachable = listeners.filter(({ websocket, tls }) => !websocket && tls?.requireClientCertificate !== true);
  const listener = reachable.find(({ anonymous }) => !anonymous) ?? reachable[0];
  if (listener === undefined) return '';
  const host = ['0.0.0.0', '::'].includes(listener.host) ? hostname() : listener.host;
  const trust = listener.tls === undefined ? '' : ' --cafile CA.pem';
  const login = `-h ${host} -p ${listener.port}${trust} -i ${id} -u ${id} -P ${secret}`;
  return `\nTry it:\n\n  mosquitto_pub ${login} -q 1 -t devices/${id}/telemetry -m '{"temperature":21.5}'\n`;
}
