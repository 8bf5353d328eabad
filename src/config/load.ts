import { dirname, resolve } from 'node:path';
import type { RouteOptions } from '../core/route.ts';
import { type Config, placePaths } from './config.ts';
import { ConfigDocument, type Path } from './document.ts';
import { includedRoutes } from './included-routes.ts';
import { judge } from './judge.ts';
import { missingPackages } from './optional-packages.ts';
import { ConfigError, type Problem } from './problem.ts';
import { readText } from './read-text.ts';
import { configSchema } from './schema.ts';
import type { Environment } from './variables.ts';
import { warningsOf } from './warnings.ts';

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

/** All routes, those of the file itself first; each, and each port, with the zone of all where it has none. */
function withRoutes(config: Config, included: readonly RouteOptions[]): Config {
  const { zone } = config.mqtt;
  const routes = [...config.mqtt.routes, ...included].map((route) => ({ ...route, zone: route.zone ?? zone }));
  const serial = config.serial.map((port) => ({ ...port, zone: port.zone ?? zone }));
  return { ...config, serial, mqtt: { ...config.mqtt, routes } };
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
