import type { Config } from '../config/config.ts';
import { pathText } from '../config/document.ts';
import { SluiceError } from '../core/errors.ts';

/**
 * Looks at the files that listeners need, before anything is opened or made. They read them again when they open.
 * @throws SluiceError `files_unusable`, with everything that is wrong with them
 */
export async function checkFiles(config: Config): Promise<void> {
  const { mqtt, api } = config;
  if (api.tokensFile === undefined && [...mqtt.listeners, ...api.listeners].every(({ tls }) => tls === undefined))
    return;
  // Loaded late: TLS takes its time, and most gateways start without.
  const { fileFindings } = await import('./file-findings.ts');
  const problems = fileFindings(config).filter(({ kind }) => kind === 'problem');
  if (problems.length === 0) return;
  throw new SluiceError(problems.map(({ path, message }) => `${pathText(path)}: ${message}`).join('; '), {
    code: 'files_unusable',
    hint: 'mend the files, or name others; sluice check says where they stand in the configuration',
  });
}
