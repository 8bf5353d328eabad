import type { Config } from './config.ts';
import { parseConfig } from './load.ts';

/**
 * A port as `serial` of a configuration has it, from what somebody wrote on the command line: `options` is what stands
 * between the braces of a mapping. @throws ConfigError
 */
export function serialPortConfig(path: string, options: readonly string[]): Config['serial'][number] {
  const given = [`path: ${JSON.stringify(path)}`, ...options].join(', ');
  const { config } = parseConfig(`serial: [ { name: port, ${given} } ]`, { file: 'the command line', env: {} });
  const [port] = config.serial;
  if (port === undefined) throw new Error('a port was written and none was read');
  return port;
}
