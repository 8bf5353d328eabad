import type { Config } from '../config/config.ts';
import type { Finding } from '../config/load.ts';
import { messageOf } from '../core/errors.ts';
import { readTokens } from '../platform/read-tokens.ts';
import { readTls, type TlsFiles, validityWarning } from '../platform/tls-files.ts';

/**
 * What is wrong with the files that a configuration names. For `sluice check` that is a problem of the configuration; a
 * gateway that starts fails in another way, so that it is started again until they are there.
 */
export function fileFindings({ mqtt, api }: Config): readonly Finding[] {
  return [
    ...certificateFindings('mqtt', mqtt.listeners),
    ...certificateFindings('api', api.listeners),
    ...tokenFindings(api),
  ];
}

function certificateFindings(
  part: string,
  listeners: readonly { readonly tls?: TlsFiles | undefined }[],
): readonly Finding[] {
  return listeners.flatMap(({ tls }, index) => {
    if (tls === undefined) return [];
    const path = [part, 'listeners', index, 'tls'];
    const { material, problems } = readTls(tls);
    const warning = material && validityWarning(material, Date.now());
    return [
      ...problems.map(({ option, message }) => ({ kind: 'problem' as const, path: [...path, option], message })),
      ...(warning === undefined ? [] : [{ kind: 'warning' as const, path: [...path, 'certFile'], message: warning }]),
    ];
  });
}

function tokenFindings({ tokensFile, listeners }: Config['api']): readonly Finding[] {
  if (tokensFile === undefined || listeners.every(({ anonymous }) => anonymous)) return [];
  const path = ['api', 'tokensFile'];
  try {
    const { tokens, openToAll } = readTokens(tokensFile);
    if (tokens.length === 0) return [{ kind: 'problem', path, message: `${tokensFile} holds no token` }];
    return openToAll ? [{ kind: 'warning', path, message: `everybody on this machine can read ${tokensFile}` }] : [];
  } catch (error) {
    return [{ kind: 'problem', path, message: messageOf(error) }];
  }
}
