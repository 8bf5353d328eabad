import { readdirSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import type { RouteOptions } from '../core/route.ts';
import { ConfigDocument } from './document.ts';
import { judge } from './judge.ts';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';
import { readText } from './read-text.ts';
import { routesFile } from './schema/routes.ts';
import type { Environment } from './variables.ts';

/** Routes that come with Sluice; the build is one directory nearer to them than the source. */
const READY = resolve(import.meta.dirname, extname(import.meta.filename) === '.ts' ? '../..' : '..', 'config/routes');
/** As many as the schema allows. */
const MAX_FILES = 32;
const READY_NAME = /^[A-Za-z0-9_-]+$/;

export interface Included {
  readonly routes: readonly RouteOptions[];
  readonly problems: readonly Problem[];
}

/** The routes of all files that a configuration names, whatever else is wrong with it. */
export function includedRoutes(config: unknown, base: string, env: Environment): Included {
  const files = namesIn(config).map((name) => routesOf(name, base, env));
  return { routes: files.flatMap(({ routes }) => routes), problems: files.flatMap(({ problems }) => problems) };
}

function namesIn(config: unknown): readonly string[] {
  const { mqtt } = (config ?? {}) as { readonly mqtt?: { readonly includeRoutes?: unknown } | null };
  const names = mqtt?.includeRoutes;
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string').slice(0, MAX_FILES) : [];
}

/** The routes of a file: `tasmota` comes with Sluice, anything else is a path that counts from `base`. */
function routesOf(name: string, base: string, env: Environment): Included {
  const isReady = READY_NAME.test(name);
  const file = isReady ? resolve(READY, `${name}.yaml`) : resolve(base, name);
  const text = readText(file, isReady ? unknownName(name) : 'make it, or take it out of includeRoutes');
  if (typeof text !== 'string') return { routes: [], problems: [{ ...text, file }] };
  const document = new ConfigDocument(text, env);
  const { options, problems } = judge(document, routesFile);
  return {
    routes: options?.routes ?? [],
    problems: [...document.problems, ...problems].map((each) => ({ ...each, file })),
  };
}

function unknownName(name: string): string {
  const known = readdirSync(READY).map((file) => basename(file, '.yaml'));
  const meant = nearest(name, known);
  const offer = meant === undefined ? `known are ${known.join(', ')}` : `probably ${meant} is meant`;
  return `${offer}; a file of your own is written as a path, such as ./${name}.yaml`;
}
