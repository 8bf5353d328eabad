import { Buffer } from 'node:buffer';
import type { RouteOptions } from '../../src/core/route.ts';
import type { Stream } from '../../src/core/stream.ts';
import type { MetricValue } from '../../src/core/views.ts';
import { judge } from '../../src/ingest/judge.ts';
import { RouteTable } from '../../src/ingest/routes/route-table.ts';
import { configOf } from './config-text.ts';

export const NOW = Date.UTC(2026, 5, 1, 12);

/** A record as people read it. */
export interface PlainRecord {
  readonly stream: Stream;
  readonly device: string;
  readonly value: string;
  readonly contentType: string;
  readonly eventType: string | null;
  /** RFC 3339, or null. */
  readonly at: string | null;
  readonly metrics: Readonly<Record<string, MetricValue>> | null;
  /** Left out when there are none. */
  readonly units?: Readonly<Record<string, string>>;
}

export type Outcome = 'local' | { readonly refused: string } | readonly PlainRecord[];

/** The routes that the text of `mqtt` in a configuration stands for. */
export function routesOf(mqtt: string): readonly RouteOptions[] {
  return configOf(`mqtt:\n${mqtt.replaceAll(/^/gm, '  ')}\n`).config.mqtt.routes;
}

/** What a message becomes by routes. */
export function routed(routes: readonly RouteOptions[], topic: string, payload: string | Uint8Array): Outcome {
  return routedFrom(null, routes, [topic, payload]);
}

/** The same for a device that logged in. */
export function routedFrom(
  identity: string | null,
  routes: readonly RouteOptions[],
  [topic, payload]: readonly [topic: string, payload: string | Uint8Array],
): Outcome {
  const message = { source: 'mqtt', channel: topic, payload: Buffer.from(payload), identity } as const;
  const judgement = judge(message, new RouteTable(routes), { now: () => NOW });
  if (judgement.kind === 'local') return 'local';
  if (judgement.kind === 'refused') return { refused: judgement.reason };
  const { device } = judgement;
  return judgement.drafts.map(({ stream, contentType, eventType, observedAt, value, metrics, units }) => ({
    stream,
    device,
    value: Buffer.from(value).toString(),
    contentType,
    eventType,
    at: observedAt === null ? null : new Date(observedAt).toISOString(),
    metrics: metrics === null ? null : { ...metrics },
    ...(Object.keys(units ?? {}).length === 0 ? {} : { units: { ...units } }),
  }));
}

/** Device and value of the only record. */
export function only(outcome: Outcome): string {
  if (outcome === 'local' || 'refused' in outcome || outcome.length !== 1) throw new Error(JSON.stringify(outcome));
  const [record] = outcome;
  return `${record?.device} ${record?.value}`;
}
