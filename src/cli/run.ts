import type { Config } from '../config/config.ts';
import { kafkaUplink } from '../config/kafka-uplink.ts';
import { loadConfig } from '../config/load.ts';
import { createLogger, type Logger } from '../platform/logger.ts';
import { CONFIG_OPTION, type Command, EXIT, textOf, UsageError } from './command.ts';
import { supervise } from './supervise.ts';

const STOP_DEADLINE_MS = 10_000;

const HELP = `Usage: sluice run [--config FILE] [--kafka HOST:PORT]

Runs the gateway in the foreground. SIGTERM and SIGINT (Ctrl-C) stop it in order, a second one at once.

  --config FILE       default /etc/sluice/sluice.yaml
  --kafka HOST:PORT   forward to this Kafka too: an uplink named kafka that makes missing topics
`;

export const run: Command = {
  name: 'run',
  summary: 'run the gateway in the foreground',
  help: HELP,
  options: { ...CONFIG_OPTION, kafka: { type: 'string' } },
  maxPositionals: 0,
  async run(input, io) {
    const { config: fromFile, warnings } = loadConfig({ file: textOf(input, 'config'), env: io.env });
    const config = withKafka(fromFile, input.values['kafka']);
    const log = createLogger(config.log);
    for (const { path, line, message } of warnings) log.warn({ option: path, line, warning: message }, 'configuration');
    return await runGateway(config, log);
  },
};

/** @throws UsageError */
function withKafka(config: Config, broker: string | boolean | undefined): Config {
  if (typeof broker !== 'string') return config;
  const uplink = kafkaUplink(broker);
  if (uplink === undefined) throw new UsageError('--kafka needs host:port, such as 127.0.0.1:9092');
  if (config.uplinks.some(({ name }) => name === uplink.name)) {
    throw new UsageError('--kafka cannot be given: the configuration has an uplink named kafka already');
  }
  return { ...config, uplinks: [...config.uplinks, uplink] };
}

async function runGateway(config: Config, log: Logger): Promise<number> {
  // Nobody knows what it left half done: what was acknowledged is on disk, and a new process goes on from there.
  process.on('uncaughtException', (error) => {
    log.error({ error }, 'a fault that nobody expected: the process ends');
    process.exit(EXIT.failed);
  });
  // Loaded late, so that the other commands need none of it.
  const { createGateway } = await import('../gateway.ts');
  return await supervise(createGateway(config), {
    signals: process,
    log,
    exit: process.exit,
    stopDeadlineMs: STOP_DEADLINE_MS,
  });
}
