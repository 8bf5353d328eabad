import type { Config } from '../config/config.ts';
import { type Loaded, loadConfig } from '../config/load.ts';
import { ConfigError, problemLine } from '../config/problem.ts';
import { fileFindings } from '../gateway/file-findings.ts';
import { checkConnections, connectionDocument } from './check-connect.ts';
import { asksForMessage, checkMessage, MESSAGE_OPTIONS } from './check-message.ts';
import { CONFIG_OPTION, type Command, EXIT, type Io, JSON_OPTION, textOf } from './command.ts';

const HELP = `Usage: sluice check [--connect] [--config FILE] [--json]
       sluice check --topic TOPIC [--payload TEXT | --payload-file FILE] [--config FILE] [--json]

Checks a configuration file and says everything that is wrong with it, each with line and column.
Reads the certificates of listeners and the tokens of the API too, and opens nothing else. Exit code 0 when it is
good, 78 when it is not.

With --connect it tries every uplink out, without writing a record: names, connections, encryption, login, topics,
grants, retention, sizes; directories and space. A running gateway is not disturbed. Exit code 0 when records can go out,
1 when something must be mended.

With --topic it says which route takes an MQTT message and what becomes of it, and stores nothing. Exit code 1 when the
message is refused.

  --config FILE         default /etc/sluice/sluice.yaml
  --connect             try the uplinks out
  --topic TOPIC         the topic of a message
  --payload TEXT        its payload; empty when left out
  --payload-file FILE   its payload, any bytes
  --json                {"file","valid","problems","warnings"}; with --connect also "connections": {"ok","uplinks"}, each with
                        its "steps"; of a message {"topic","outcome","route","reason","hint","records"}
`;

export const check: Command = {
  name: 'check',
  summary: 'check a configuration file, or what becomes of a message',
  help: HELP,
  options: { ...CONFIG_OPTION, ...JSON_OPTION, ...MESSAGE_OPTIONS, connect: { type: 'boolean', default: false } },
  maxPositionals: 0,
  async run(input, io) {
    const file = textOf(input, 'config');
    if (asksForMessage(input)) return await checkMessage(input, loadConfig({ file, env: io.env }).config, io);
    const how = { file, connect: input.values['connect'] === true };
    return await (input.values['json'] === true ? checkForPrograms(how, io) : checkForPeople(how, io));
  },
};

interface How {
  readonly file: string;
  readonly connect: boolean;
}

function load(file: string, io: Io): Loaded {
  return loadConfig({ file, env: io.env, inspect: fileFindings });
}

async function checkForPeople({ file, connect }: How, io: Io): Promise<number> {
  const { config, warnings } = load(file, io);
  for (const warning of warnings) io.err(`warning: ${problemLine(file, warning)}\n`);
  io.out(`${file} is good: ${inShort(config)}\n`);
  return connect ? await checkConnections(config, io) : EXIT.done;
}

async function checkForPrograms({ file, connect }: How, io: Io): Promise<number> {
  try {
    const { config, warnings } = load(file, io);
    const connections = connect ? await connectionDocument(config) : undefined;
    io.out(`${JSON.stringify({ file, valid: true, problems: [], warnings, connections })}\n`);
    return connections?.ok === false ? EXIT.failed : EXIT.done;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.out(`${JSON.stringify({ file, valid: false, problems: error.problems, warnings: [] })}\n`);
    return EXIT.config;
  }
}

function inShort({ mqtt, api, uplinks, gateway }: Config): string {
  const addresses = (listeners: readonly { host: string; port: number }[]) =>
    listeners.map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)).join(', ') ||
    'off';
  const names = uplinks.map(({ name, type }) => `${name} (${type})`).join(', ') || 'none, records stay local';
  return `MQTT ${addresses(mqtt.listeners)}; API ${addresses(api.listeners)}; uplinks ${names}; data in ${gateway.dataDir}`;
}
