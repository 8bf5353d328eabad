import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { codeOf, messageOf } from '../core/errors.ts';
import { type Config, placePaths } from './config.ts';
import { ConfigDocument } from './document.ts';
import { judge } from './judge.ts';
import { isLoopback } from './loopback.ts';
import { ConfigError, type Problem } from './problem.ts';
import type { Options } from './schema.ts';
import type { Environment } from './variables.ts';

const MAX_FILE_BYTES = 1024 * 1024;

export interface Loaded {
  readonly config: Config;
  /** What is allowed, but should be known. */
  readonly warnings: readonly Problem[];
}

export interface LoadOptions {
  readonly file: string;
  readonly env: Environment;
}

/**
 * Reads and checks a configuration file; nothing else is opened.
 * @throws ConfigError with everything that is wrong
 */
export function loadConfig({ file, env }: LoadOptions): Loaded {
  return parseConfig(readText(file), { file, env });
}

/**
 * The same for text that was read already. `file` names it, and relative paths count from its directory.
 * @throws ConfigError with everything that is wrong
 */
export function parseConfig(text: string, { file, env }: LoadOptions): Loaded {
  const document = new ConfigDocument(text, env);
  const { options, problems } = judge(document);
  if (options === undefined || document.problems.length > 0) {
    throw new ConfigError(file, inOrder(document.problems, problems));
  }
  const config = placePaths(options, dirname(resolve(file)));
  const shared = sharedDirectories(config, document);
  if (shared.length > 0) throw new ConfigError(file, shared);
  return { config, warnings: warningsOf(options, document) };
}

/** Known only when the paths are absolute. */
function sharedDirectories({ uplinks }: Config, document: ConfigDocument): readonly Problem[] {
  const directories = uplinks.map((uplink) => (uplink.type === 'file' ? uplink.directory : undefined));
  return directories.flatMap((directory, index) => {
    if (directory === undefined || directories.indexOf(directory) === index) return [];
    return [document.problemAt(['uplinks', index, 'directory'], 'is the directory of another uplink')];
  });
}

/** Where reading failed already, for want of a variable, nothing is said of the value. */
function inOrder(reading: readonly Problem[], judging: readonly Problem[]): readonly Problem[] {
  const further = judging.filter((problem) => !reading.some((other) => isSamePlace(problem, other)));
  return [...reading, ...further].sort((a, b) => a.line - b.line || a.column - b.column);
}

function isSamePlace(a: Problem, b: Problem): boolean {
  return a.line === b.line && a.column === b.column && a.path === b.path;
}

function readText(file: string): string {
  try {
    const stats = statSync(file);
    if (!stats.isFile()) throw fileError(file, 'is not a file');
    if (stats.size > MAX_FILE_BYTES) throw fileError(file, 'is larger than 1MiB');
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    throw error instanceof ConfigError ? error : fileError(file, unreadable(error));
  }
}

function unreadable(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
      return 'does not exist: make it (an empty file will do), or name another one with --config FILE';
    case 'EACCES':
      return 'may not be read by this user';
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'is not UTF-8 text';
    default:
      return `cannot be read: ${messageOf(error)}`;
  }
}

function fileError(file: string, message: string): ConfigError {
  return new ConfigError(file, [{ line: 0, column: 0, path: '', message }]);
}

function warningsOf(options: Options, document: ConfigDocument): readonly Problem[] {
  return [...openListeners(options, document), ...openTokens(options, document), ...openPasswords(options, document)];
}

function openListeners({ mqtt }: Options, document: ConfigDocument): readonly Problem[] {
  return mqtt.listeners.flatMap(({ host, anonymous }, index) => {
    if (!anonymous || isLoopback(host)) return [];
    const path = ['mqtt', 'listeners', index, 'anonymous'];
    return [document.problemAt(path, `everybody who reaches ${host} can publish and subscribe without a password`)];
  });
}

function openTokens({ api }: Options, document: ConfigDocument): readonly Problem[] {
  return api.listeners.flatMap(({ host }, index) => {
    if (isLoopback(host)) return [];
    const message = `tokens sent to ${host} can be read on the network, because they are not encrypted`;
    return [document.problemAt(['api', 'listeners', index, 'host'], message)];
  });
}

function openPasswords({ uplinks }: Options, document: ConfigDocument): readonly Problem[] {
  return uplinks.flatMap((uplink, index) => {
    if (uplink.type !== 'kafka' || uplink.sasl === false || uplink.tls !== false) return [];
    const { mechanism } = uplink.sasl;
    const isOnThisMachine = uplink.brokers.every((broker) => isLoopback(broker.replace(/:\d+$|[[\]]/g, '')));
    if (isOnThisMachine || (mechanism !== 'plain' && mechanism !== 'oauthbearer')) return [];
    const message = `${mechanism} without tls: everybody between here and the brokers can read the secret`;
    return [document.problemAt(['uplinks', index, 'sasl', 'mechanism'], message)];
  });
}
