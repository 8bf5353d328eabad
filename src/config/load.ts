import { dirname, resolve } from 'node:path';
import { placeholdersOf } from '../core/placeholders.ts';
import type { RouteOptions } from '../core/route.ts';
import { parseTopicPattern } from '../core/topic-pattern.ts';
import { type Config, placePaths } from './config.ts';
import { ConfigDocument, type Path } from './document.ts';
import { includedRoutes } from './included-routes.ts';
import { judge } from './judge.ts';
import { isLoopback } from './loopback.ts';
import { missingPackages } from './optional-packages.ts';
import { ConfigError, type Problem } from './problem.ts';
import { readText } from './read-text.ts';
import { configSchema, type Options } from './schema.ts';
import type { Environment } from './variables.ts';

export interface Loaded {
  readonly config: Config;
  /** What is allowed, but should be known. */
  readonly warnings: readonly Problem[];
}

/** Something wrong with what an option stands for. */
export interface Finding {
  /** `warning`: allowed, but should be known. */
  readonly kind: 'problem' | 'warning';
  readonly path: Path;
  readonly message: string;
}

export interface LoadOptions {
  readonly file: string;
  readonly env: Environment;
  /** Looks at what a good configuration names, such as files. */
  readonly inspect?: (config: Config) => readonly Finding[];
}

/**
 * Reads and checks a configuration file; nothing else is opened, unless `inspect` does.
 * @throws ConfigError with everything that is wrong
 */
export function loadConfig(options: LoadOptions): Loaded {
  const { file } = options;
  const text = readText(file, 'make it (an empty file will do), or name another one with --config FILE');
  if (typeof text !== 'string') throw new ConfigError(file, [text]);
  return parseConfig(text, options);
}

/**
 * The same for text that was read already. `file` names it, and relative paths count from its directory.
 * @throws ConfigError with everything that is wrong
 */
export function parseConfig(text: string, { file, env, inspect }: LoadOptions): Loaded {
  const document = new ConfigDocument(text, env);
  const { options, problems } = judge(document, configSchema);
  const base = dirname(resolve(file));
  const included = includedRoutes(document.value, base, env);
  if (options === undefined || document.problems.length > 0) {
    throw new ConfigError(file, [...inOrder(document.problems, problems), ...included.problems]);
  }
  const config = placePaths(options, base);
  const findings = inspect?.(config) ?? [];
  const found = placed(findings, 'problem', document);
  const own = inOrder([...sharedDirectories(config, document), ...missingPackages(options, document)], found);
  const further = [...own, ...included.problems];
  if (further.length > 0) throw new ConfigError(file, further);
  return {
    config: withRoutes(config, included.routes),
    warnings: [...warningsOf(options, document), ...placed(findings, 'warning', document)],
  };
}

function placed(findings: readonly Finding[], wanted: Finding['kind'], document: ConfigDocument): readonly Problem[] {
  return findings.filter(({ kind }) => kind === wanted).map(({ path, message }) => document.problemAt(path, message));
}

/** All routes, those of the file itself first, each with the zone of all where it has none. */
function withRoutes(config: Config, included: readonly RouteOptions[]): Config {
  const { zone } = config.mqtt;
  const routes = [...config.mqtt.routes, ...included].map((route) => ({ ...route, zone: route.zone ?? zone }));
  return { ...config, mqtt: { ...config.mqtt, routes } };
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

function warningsOf(options: Options, document: ConfigDocument): readonly Problem[] {
  const warners = [openListeners, namedByPayload, openTokens, openPasswords];
  return warners.flatMap((warner) => warner(options, document));
}

function openListeners({ mqtt }: Options, document: ConfigDocument): readonly Problem[] {
  return mqtt.listeners.flatMap(({ host, anonymous, tls }, index) => {
    if (isLoopback(host) || (!anonymous && tls !== undefined)) return [];
    const path = ['mqtt', 'listeners', index, anonymous ? 'anonymous' : 'host'];
    const message = anonymous
      ? `everybody who reaches ${host} can publish and subscribe without a password`
      : `passwords sent to ${host} can be read on the network, because there is no tls`;
    return [document.problemAt(path, message)];
  });
}

function namedByPayload({ mqtt }: Options, document: ConfigDocument): readonly Problem[] {
  if (mqtt.listeners.every(({ anonymous }) => anonymous)) return [];
  return mqtt.routes.flatMap(({ device, format, topic }, index) => {
    const pattern = parseTopicPattern(topic);
    const captured = typeof pattern === 'string' || pattern.captures.has('base');
    if (format !== 'senml' || captured || !placeholdersOf(device).includes('base')) return [];
    const message = 'the payload says whose it is: who may publish there names any device';
    return [document.problemAt(['mqtt', 'routes', index, 'device'], message)];
  });
}

function openTokens({ api }: Options, document: ConfigDocument): readonly Problem[] {
  return api.listeners.flatMap(({ host, tls }, index) => {
    if (tls !== undefined || isLoopback(host)) return [];
    const message = `tokens sent to ${host} can be read on the network, because there is no tls`;
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
