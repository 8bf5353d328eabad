import { Buffer } from 'node:buffer';
import { isOwnTopic } from '../core/device-topic.ts';
import type { Message } from '../core/ports.ts';
import { type Draft, decodeMessage } from './decode.ts';
import type { Refusal } from './refusal.ts';
import { convert, fixedDevice } from './routes/convert.ts';
import type { RouteTable } from './routes/route-table.ts';
import { routeTopic } from './topic.ts';

/** `route`: its place in the configuration; null for the default namespace. */
export type Judgement =
  | { readonly kind: 'local' }
  | { readonly kind: 'refused'; readonly reason: Refusal; readonly route: number | null }
  | {
      readonly kind: 'good';
      readonly device: string;
      readonly drafts: readonly Draft[];
      readonly route: number | null;
      /** The number of a frame from a serial port. */
      readonly frame?: number | undefined;
    };

interface Clock {
  /** UTC milliseconds. */
  now(): number;
}

type Arrived = Pick<Message, 'source' | 'channel' | 'payload' | 'declared' | 'identity'>;

const BLANK = 0x20;
const LOCAL: Judgement = { kind: 'local' };

/**
 * What a message is: the default namespace comes first, what it does not know is offered to the routes. The channel of
 * a serial port is in no namespace: `routes` are those of the ports then.
 * Pure but for the gateway's clock.
 */
export function judge(message: Arrived, routes: RouteTable, clock: Clock): Judgement {
  if (message.source === 'serial') return judgeFrame(message, routes, clock);
  const routed = routeTopic(message.channel);
  if ('local' in routed) return message.source === 'mqtt' ? judgeForeign(message, routes, clock) : LOCAL;
  if ('refused' in routed) return { kind: 'refused', reason: routed.refused, route: null };
  const decoded = decodeMessage(routed.route, asBuffer(message.payload), message.declared);
  if ('refused' in decoded) return { kind: 'refused', reason: decoded.refused, route: null };
  return { kind: 'good', device: routed.route.device, drafts: decoded.drafts, route: null };
}

function judgeFrame(message: Arrived, routes: RouteTable, clock: Clock): Judgement {
  const match = routes.find(message.channel);
  if (match?.route.options.topicFirst !== true) return judgeForeign(message, routes, clock);
  const route = match.route.index;
  const payload = asBuffer(message.payload);
  const blank = payload.indexOf(BLANK);
  const end = blank === -1 ? payload.length : blank;
  const routed = routeTopic(`devices/${fixedDevice(match) ?? ''}/${payload.toString('utf8', 0, end)}`);
  if ('local' in routed) return { kind: 'refused', reason: 'unknown_topic', route };
  if ('refused' in routed) return { kind: 'refused', reason: routed.refused, route };
  const decoded = decodeMessage(routed.route, payload.subarray(end + 1));
  if ('refused' in decoded) return { kind: 'refused', reason: decoded.refused, route };
  return { kind: 'good', device: routed.route.device, drafts: decoded.drafts, route };
}

function judgeForeign({ channel, payload, identity = null }: Arrived, routes: RouteTable, clock: Clock): Judgement {
  const match = routes.find(channel);
  if (match === undefined) return LOCAL;
  const route = match.route.index;
  const converted = convert(match, asBuffer(payload), clock.now());
  if ('refused' in converted) return { kind: 'refused', reason: converted.refused, route };
  // No grant was needed to publish there, so it speaks for nobody else.
  const isForeign = identity !== null && isOwnTopic(identity, channel) && converted.device !== identity;
  return isForeign ? { kind: 'refused', reason: 'other_device', route } : { kind: 'good', ...converted, route };
}

/** A view, not a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
