import { isUtf8 } from 'node:buffer';
import { normaliseDeviceId } from '../../core/device-id.ts';
import { fill } from '../../core/placeholders.ts';
import { type DecodedMessage, type Draft, decodeState, eventDraft, telemetryDraft } from '../decode.ts';
import { decodeFormat } from '../formats/decode-format.ts';
import { noJson } from '../formats/json.ts';
import { parseJson } from '../formats/parse-json.ts';
import { believed, type Reading, type Refused } from '../formats/reading.ts';
import { isName } from '../name.ts';
import { parseObservedAt } from '../observed-at.ts';
import type { Refusal } from '../refusal.ts';
import { applyRules } from './metric-rules.ts';
import type { Route } from './route.ts';
import type { RouteMatch } from './route-table.ts';

type Values = RouteMatch['captures'];

export type Converted =
  | {
      readonly device: string;
      readonly drafts: readonly Draft[];
      /** The number of the frame, where the route says how to find it. */
      readonly frame?: number | undefined;
    }
  | Refused;

/** SenML's names are bounded, its base names are not. */
const MAX_BASE_LENGTH = 256;
/** Of the values that one message becomes, where they are written anew: names that repeat may make them many times as large. */
const MAX_WRITTEN_BYTES = 1024 * 1024;

/** What a message becomes by its route. `now`: the gateway's clock, UTC milliseconds. */
export function convert({ route, captures }: RouteMatch, payload: Buffer, now: number): Converted {
  switch (route.options.stream) {
    case 'telemetry':
      return telemetry({ route, captures }, payload, now);
    case 'events':
      return withDevice(route, captures, event({ route, captures }, payload, now));
    case 'state':
      return withDevice(route, captures, isUtf8(payload) ? decodeState(payload, payload.toString('utf8')) : NOT_UTF8);
  }
}

const NOT_UTF8: Refused = { refused: 'not_utf8' };

function telemetry({ route, captures }: RouteMatch, payload: Buffer, now: number): Converted {
  const { metric: template, format = 'json' } = route.options;
  const metric = template === undefined ? null : fill(template, captures);
  if (metric === '') return { refused: 'bad_metric_name' };
  const decoded = decodeFormat(format, payload, { ...route.decodeOptions, metric, now });
  if ('refused' in decoded) return decoded;
  const { readings } = decoded;
  const values = valuesOf(route, captures, readings);
  if (typeof values === 'string') return { refused: values };
  const { frameFrom } = route.options;
  const frame = frameFrom === undefined ? undefined : readings[0]?.metrics[nameOf(frameFrom, metric)];
  if (frameFrom !== undefined && !isFrameNumber(frame)) return { refused: 'no_frame_number' };
  const drafts: Draft[] = [];
  let writtenBytes = 0;
  for (const reading of readings) {
    const ruled = applyRules(reading, route.metricRules);
    if (typeof ruled === 'string') return { refused: ruled };
    const draft = telemetryDraft(ruled);
    if (ruled.value === null) writtenBytes += draft.value.length;
    if (writtenBytes > MAX_WRITTEN_BYTES) return { refused: 'too_large' };
    drafts.push(draft);
  }
  const converted = withDevice(route, values, { drafts });
  return isFrameNumber(frame) ? { ...converted, frame } : converted;
}

function isFrameNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32;
}

/** As a reading has it, which the payload has as `name`. */
function nameOf(name: string, metric: string | null): string {
  return metric === null ? name : `${metric}.${name}`;
}

/** The captures, and what all readings say of their device; or why the message is refused. */
function valuesOf(route: Route, captures: Values, readings: readonly Reading[]): Values | Refusal {
  const { deviceFrom, metric } = route.options;
  if (deviceFrom !== undefined) {
    const name = nameOf(deviceFrom, metric === undefined ? null : fill(metric, captures));
    return withDeviceOf(readings, name, captures);
  }
  return route.decodeOptions.baseIsDevice ? withBase(captures, readings) : captures;
}

function withDeviceOf(readings: readonly Reading[], name: string, captures: Values): Values | Refusal {
  const [device, ...others] = new Set(readings.map(({ metrics }) => metrics[name]));
  if (others.length > 0) return 'several_devices';
  // Above 2^53 the numbers of several devices are read as one.
  const isNumber = typeof device === 'number' && Math.abs(device) <= Number.MAX_SAFE_INTEGER;
  const isOne = isNumber || (typeof device === 'string' && device !== '');
  return isOne ? new Map([...captures, ['device', String(device)]]) : 'no_device';
}

function withBase(captures: Values, readings: readonly Reading[]): Values | Refusal {
  const names = new Set(readings.map(({ base }) => base ?? ''));
  if (names.size > 1) return 'several_devices';
  const [name = ''] = names;
  // What separates a base name from the names behind it is no part of the device.
  const base = name.slice(0, MAX_BASE_LENGTH).replace(/[^A-Za-z0-9]{1,16}$/, '');
  return new Map([...captures, ['base', base]]);
}

function event({ route, captures }: RouteMatch, payload: Buffer, now: number): DecodedMessage {
  const { format, eventType: template = '', time } = route.options;
  const eventType = fill(template, captures);
  if (!isName(eventType)) return { refused: 'bad_event_type' };
  if (format === 'raw') return { drafts: [eventDraft(payload, 'application/octet-stream', eventType)] };
  if (!isUtf8(payload)) return NOT_UTF8;
  const text = payload.toString('utf8');
  const parsed = format === 'text' ? undefined : parseJson(text);
  if (format === 'json' && parsed === undefined) return noJson(text);
  const draft = eventDraft(payload, parsed === undefined ? 'text/plain' : 'application/json', eventType);
  const { zone } = route.decodeOptions;
  const at = time === undefined ? undefined : memberAt(parsed, time);
  if (at === undefined || at === null) return { drafts: [draft] };
  const observedAt = parseObservedAt(at, zone === null ? undefined : { zone, now });
  return observedAt === undefined
    ? { refused: 'bad_ts' }
    : { drafts: [{ ...draft, observedAt: believed(observedAt) }] };
}

/** The member that a path with dots leads to. */
function memberAt(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((inner, name) => {
    const isHolder = typeof inner === 'object' && inner !== null && Object.hasOwn(inner, name);
    return isHolder ? (inner as Record<string, unknown>)[name] : undefined;
  }, value);
}

/** Whose all messages of the route on this channel are; null when only they say it. */
export function fixedDevice({ route, captures }: RouteMatch): string | null {
  const { device, deviceFrom } = route.options;
  const isSaid = deviceFrom !== undefined || route.decodeOptions.baseIsDevice;
  return isSaid ? null : (normaliseDeviceId(fill(device, captures)) ?? null);
}

function withDevice(route: Route, values: Values, decoded: DecodedMessage): Converted {
  if ('refused' in decoded) return decoded;
  const device = normaliseDeviceId(fill(route.options.device, values));
  return device === undefined ? { refused: 'bad_device_id' } : { device, drafts: decoded.drafts };
}
