import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REFUSAL_HINTS } from '../../src/ingest/refusal.ts';
import { configOf } from '../support/config-text.ts';
import { type Outcome, routed } from '../support/routed.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/formats.md'), 'utf8');

/** Each configuration with the messages behind it. */
const examples = [...page.matchAll(/```yaml\n(.*?)```\n(?:```\n(.*?)```)?/gs)].map(([, yaml = '', messages = '']) => ({
  yaml,
  messages: [...messages.matchAll(/^(.+)\n→ (.*)$/gm)].map(([, message = '', outcome = '']) => ({ message, outcome })),
}));

/** As the page writes it. */
function written(outcome: Outcome): string {
  if (outcome === 'local') return 'local';
  if ('refused' in outcome) return `refused ${outcome.refused}`;
  return outcome
    .map(({ device, stream, value, at }) => `${device} ${stream} ${value}${at === null ? '' : ` ${at}`}`)
    .join('\n');
}

/** The payload begins behind the first blank that no route's device needs. */
function split(message: string): readonly [topic: string, payload: string] {
  const [, topic = '', payload = ''] = /^(zigbee2mqtt\/Küche Lampe|\S+) (.*)$/.exec(message) ?? [];
  return [topic, payload];
}

describe('every example of docs/formats.md', () => {
  it('is found', () => {
    expect(examples.length).toBeGreaterThan(5);
    expect(examples.flatMap(({ messages }) => messages).length).toBeGreaterThan(15);
  });

  it.each(
    examples.map(({ yaml, messages }) => [yaml.trim().split('\n').slice(0, 3).join(' '), yaml, messages] as const),
  )('holds: %s', (_, yaml, messages) => {
    const { routes } = configOf(yaml).config.mqtt;
    for (const { message, outcome } of messages) {
      const [topic, payload] = split(message);
      expect(written(routed(routes, topic, payload))).toBe(outcome);
    }
  });
});

describe('the table of reasons in docs/formats.md', () => {
  it('has every one, with what helps', () => {
    const rows = [...page.matchAll(/^\| `([a-z0-9_]+)` \| (.*) \|$/gm)].map(([, reason, hint]) => [reason, hint]);
    expect(Object.fromEntries(rows)).toMatchObject(REFUSAL_HINTS);
  });
});
