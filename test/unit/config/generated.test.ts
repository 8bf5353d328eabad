// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of a configuration file

import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { generatedFiles } from '../../../scripts/generate-config/generated-files.ts';
import { type OptionNode, optionTree } from '../../../scripts/generate-config/option-tree.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { configOf } from '../../support/config-text.ts';

const root = resolve(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(resolve(root, file), 'utf8');
const example = read('config/sluice.example.yaml');

function uncommented(): string {
  return example.replaceAll(/^ *##.*\n/gm, '').replaceAll(/^ {2}# /gm, '  ');
}

/** Paths of all options below, `mqtt.listeners[].port`, without the mapping a plain value may be instead. */
function pathsOf(options: readonly OptionNode[], prefix: string): string[] {
  return options.flatMap(({ name, shape, options: inner, kinds }) => {
    const path = prefix + name;
    if (shape === 'choice' || shape === 'plain') return [path];
    if (kinds.length > 0) return kinds.flatMap((kind) => pathsOf(kind.options, `${path}[${kind.name}].`));
    return pathsOf(inner, shape === 'list' ? `${path}[].` : `${path}.`);
  });
}

const KNOWN = new Set(pathsOf(optionTree(), ''));

/** What the example shows of a list. */
function entriesOf(list: string, options: readonly OptionNode[] = optionTree()): string {
  return JSON.stringify(options.find(({ name }) => name === list)?.entries);
}

const MQTT = optionTree().find(({ name }) => name === 'mqtt')?.options;

/** Of an entry of a list whose entries are of several kinds. */
function kindOf({ type = '' }: { readonly type?: string }, prefix: string): string {
  return [...KNOWN].some((path) => path.startsWith(`${prefix}[${type}]`)) ? type : '';
}

function writtenPaths(value: unknown, prefix: string): string[] {
  if (KNOWN.has(prefix)) return [prefix];
  if (Array.isArray(value) && value.some((item) => typeof item === 'object')) {
    return value.flatMap((item) => writtenPaths(item, `${prefix}[${kindOf(item, prefix)}]`));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [prefix];
  return Object.entries(value).flatMap(([name, inner]) =>
    writtenPaths(inner, prefix === '' ? name : `${prefix}.${name}`),
  );
}

describe('what is made from the schema', () => {
  it.each(generatedFiles(read))('$file is what npm run generate:config makes', ({ file, text }) => {
    expect(read(file)).toBe(text);
  });

  it('describes every option', () => {
    const bare = (options: readonly OptionNode[]): string[] =>
      options.flatMap((option) => [
        ...(option.description === '' || (option.type === '' && option.shape === 'plain') ? [option.name] : []),
        ...bare(option.options),
        ...bare(option.kinds),
      ]);
    expect(bare(optionTree())).toEqual([]);
  });
});

describe('the example file', () => {
  it('as it is stands for the defaults', () => {
    expect(configOf(example)).toEqual(configOf(''));
  });

  it('has every option', () => {
    expect(new Set(writtenPaths(parse(uncommented()), ''))).toEqual(KNOWN);
  });

  it('with every comment taken away stands for the defaults, and for samples where there are none', () => {
    const minimal = `
gateway: { id: greenhouse-pi }
mqtt:
  listeners:
    - { anonymous: true, tls: { certFile: server.pem, keyFile: server-key.pem, caFile: clients-ca.pem } }
  routes: ${entriesOf('routes', MQTT)}
  grants: ${entriesOf('grants', MQTT)}
serial: ${entriesOf('serial')}
uplinks:
  - { brokers: [ "kafka.example.net:9092" ], replaces: 3f9a0c5be1d27746 }
  - { type: file, directory: /media/usb }
api: { listeners: [ { anonymous: true, tls: { certFile: server.pem, keyFile: server-key.pem } } ], tokensFile: /etc/sluice/api-tokens }`;
    expect(configOf(uncommented()).config).toEqual(configOf(minimal).config);
  });
});

describe('every configuration in config/', () => {
  it.each(readdirSync(resolve(root, 'config')).filter((name) => name.endsWith('.yaml')))('%s is good', (name) => {
    expect(loadConfig({ file: resolve(root, 'config', name), env: {} }).warnings).toEqual([]);
  });
});

describe('the demo configuration', () => {
  const file = resolve(root, 'config/demo.yaml');

  it('stays on this machine and writes below data', () => {
    const { config, warnings } = loadConfig({ file, env: {} });
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      gateway: { dataDir: resolve(root, 'data/gateway') },
      clock: { waitForSync: 0 },
      mqtt: { listeners: [{ host: '127.0.0.1', port: 1883, anonymous: true }] },
      uplinks: [{ name: 'demo', type: 'file', directory: resolve(root, 'data/upstream') }],
      api: { listeners: [{ host: '127.0.0.1', port: 8080 }] },
    });
  });

  it('can be moved by the environment', () => {
    const env = { SLUICE_DEMO_DIR: '/tmp/elsewhere', SLUICE_DEMO_MQTT_PORT: '0', SLUICE_DEMO_API_PORT: '0' };
    expect(loadConfig({ file, env }).config).toMatchObject({
      gateway: { dataDir: '/tmp/elsewhere/gateway' },
      mqtt: { listeners: [{ port: 0 }] },
      uplinks: [{ directory: '/tmp/elsewhere/upstream' }],
      api: { listeners: [{ port: 0 }] },
    });
  });
});

describe('the schema for editors', () => {
  const schema = z.fromJSONSchema(JSON.parse(read('config/sluice.schema.json')));
  const accepts = (text: string): boolean => schema.safeParse(parse(text)).success;

  it.each([
    ['the demo configuration', read('config/demo.yaml')],
    ['the example', example],
    ['the example with every comment taken away', uncommented()],
    ['variables in place of numbers', 'mqtt: { maxClients: "${CLIENTS:-5}", drainTimeout: "${DRAIN}" }'],
    ['an uplink with its brokers alone', 'uplinks: [ { brokers: [ "a:1" ] } ]'],
  ])('takes %s', (_, text) => {
    expect(accepts(text)).toBe(true);
  });

  it.each([
    'gatway: {}',
    'mqtt: { maxClients: many }',
    'mqtt: { drainTimeout: 5 }',
    'uplinks: [ { type: kafka } ]',
    'uplinks: [ { type: x } ]',
  ])('does not take %s', (text) => {
    expect(accepts(text)).toBe(false);
  });
});
