import { loadConfig } from '../config/load.ts';
import { CONFIG_OPTION, type Command, EXIT, JSON_OPTION, textOf } from './command.ts';
import { Daemon } from './daemon.ts';
import type { StatusDocuments } from './status-documents.ts';
import { statusPage } from './status-page.ts';

const HELP = `Usage: sluice status [--config FILE] [--json]

Shows how the running gateway is, and why nothing arrives when nothing does.

  --config FILE   the gateway's configuration, default /etc/sluice/sluice.yaml
  --json          the gateway's own documents: {"gateway","buffer","uplinks","replays","devices","health"}
`;

const PATHS = {
  gateway: '/v1/gateway',
  buffer: '/v1/buffer',
  uplinks: '/v1/uplinks',
  replays: '/v1/replays',
  devices: '/v1/devices?limit=1000',
  health: '/health/ready',
};

export const status: Command = {
  name: 'status',
  summary: 'show how the running gateway is',
  help: HELP,
  options: { ...CONFIG_OPTION, ...JSON_OPTION },
  maxPositionals: 0,
  async run(input, io) {
    const { config } = loadConfig({ file: textOf(input, 'config'), env: io.env });
    const documents = await readDocuments(new Daemon(config.gateway.dataDir));
    io.out(input.values['json'] === true ? `${JSON.stringify(documents)}\n` : statusPage(documents));
    return EXIT.done;
  },
};

async function readDocuments(daemon: Daemon): Promise<StatusDocuments> {
  const answers = await Promise.all(
    Object.entries(PATHS).map(async ([name, path]) => [name, (await daemon.ask('GET', path)).body] as const),
  );
  return Object.fromEntries(answers) as unknown as StatusDocuments;
}
