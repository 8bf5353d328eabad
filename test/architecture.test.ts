import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = resolve(import.meta.dirname, '../src');

/** Room → rooms it may import. The first room whose path fits counts. */
const MAY_IMPORT: readonly (readonly [room: string, allowed: readonly string[]])[] = [
  ['core', []],
  ['platform', ['core', '../package.json']],
  ['config', ['core']],
  ['sources/mqtt', ['core', 'platform']],
  ['sources/serial', ['core', 'platform']],
  ['ingest', ['core', 'platform']],
  ['store', ['core', 'platform']],
  ['uplink', ['core', 'platform']],
  ['devices', ['core', 'platform']],
  ['api', ['core', 'platform']],
  ['cli', ['gateway.ts', 'gateway', 'config', 'core', 'platform']],
  ['main.ts', ['cli', 'core', 'platform']],
  ['gateway.ts', ['*']],
  ['gateway', ['*']],
];

/** Package → the only places that may import it. */
const ONLY_PLACE: Readonly<Record<string, readonly string[]>> = {
  cborg: ['ingest/formats'],
  re2js: ['core'],
  aedes: ['sources/mqtt'],
  'aedes-persistence': ['sources/mqtt'],
  'better-sqlite3': ['store'],
  kafkajs: ['uplink/kafka/kafkajs'],
  '@platformatic/kafka': ['uplink/kafka/platformatic'],
  ws: ['sources/mqtt'],
  '@serialport/bindings-cpp': ['sources/serial'],
  hono: ['api'],
  '@hono/node-server': ['api'],
  '@hono/zod-openapi': ['api'],
  zod: ['config', 'api'],
  yaml: ['config'],
  pino: ['platform'],
  'prom-client': ['platform'],
  'node-unix-socket': ['platform'],
};

interface Import {
  readonly from: string;
  readonly specifier: string;
}

function sourceFiles(): string[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  const found = text.matchAll(/(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g);
  return [...found].map((match) => ({ from: file, specifier: match[1] ?? match[2] ?? '' }));
}

function targetOf({ from, specifier }: Import): string {
  return relative(SRC, resolve(SRC, dirname(from), specifier));
}

function within(path: string, room: string): boolean {
  return path === room || path.startsWith(`${room}/`);
}

const IMPORTS = sourceFiles().flatMap(importsOf);
const INTERNAL = IMPORTS.filter(({ specifier }) => specifier.startsWith('.'));

describe('the house', () => {
  it('has a rule for every source file', () => {
    const homeless = sourceFiles().filter((file) => !MAY_IMPORT.some(([room]) => within(file, room)));
    expect(homeless).toEqual([]);
  });

  it('lets a room import only what its row of the table says', () => {
    const broken = INTERNAL.filter((edge) => {
      const rule = MAY_IMPORT.find(([room]) => within(edge.from, room));
      const target = targetOf(edge);
      if (rule === undefined || rule[1].includes('*') || within(target, rule[0])) return false;
      return !rule[1].some((allowed) => within(target, allowed));
    });
    expect(broken).toEqual([]);
  });

  it('keeps each package in its only place', () => {
    const broken = IMPORTS.filter(({ from, specifier }) => {
      if (specifier.startsWith('.') || isBuiltin(specifier)) return false;
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      const places = ONLY_PLACE[name];
      return places === undefined || !places.some((place) => within(from, place));
    });
    expect(broken).toEqual([]);
  });

  it('has no import cycles, types included', () => {
    const graph = new Map<string, string[]>();
    for (const edge of INTERNAL) graph.set(edge.from, [...(graph.get(edge.from) ?? []), targetOf(edge)]);
    expect(findCycle(graph)).toEqual([]);
  });

  it('has no room for leftovers', () => {
    const names = sourceFiles().filter((file) => /(^|\/)(utils?|helpers?|common|misc)(\/|\.ts$)/.test(file));
    expect(names).toEqual([]);
  });
});

function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle.length > 0) return cycle;
    }
    path.pop();
    done.add(file);
    return [];
  };
  for (const file of graph.keys()) {
    const cycle = visit(file);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
