import { printable } from '../core/printable.ts';
import { ageText, countText, plural, sizeText, tableLines } from './format.ts';
import type { StatusDocuments, UplinkDocument } from './status-documents.ts';
import { whyNothingArrives } from './why-nothing-arrives.ts';

const CLOCKS = {
  synced: 'synchronised',
  unsynced: 'not synchronised',
  unknown: 'this system does not say whether it is synchronised',
} as const;

/** What `sluice status` prints for people. */
export function statusPage(documents: StatusDocuments): string {
  const why = whyNothingArrives(documents);
  const parts = [
    tableLines(facts(documents), { right: [] }),
    uplinkLines(documents.uplinks.uplinks),
    why === undefined ? [] : [`Nothing arrives: ${why}.`],
  ];
  return `${parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function facts({ gateway, buffer, health }: StatusDocuments): readonly (readonly string[])[] {
  return [
    [
      'gateway',
      `${printable(gateway.id)}, up ${ageText(gateway.uptime_seconds)}, version ${printable(gateway.version)}`,
    ],
    ['health', healthText(health)],
    ['clock', CLOCKS[gateway.clock]],
    ['mqtt', `${plural(gateway.mqtt.clients, 'client')}, ${plural(gateway.devices, 'device')} known`],
    ['messages', messagesText(gateway.messages)],
    ['buffer', bufferText(buffer)],
    ['disk', `${sizeText(gateway.disk.free_bytes)} free, ${sizeText(gateway.disk.keep_free_bytes)} of it kept free`],
    ['wear', wearText(buffer)],
    ['data', printable(gateway.data_dir, 300)],
  ];
}

function wearText({ wear }: StatusDocuments['buffer']): string {
  const { bytes_per_record: aRecord, bytes_per_day: aDay, device_bytes_per_day: ofAll, card_life_days: days } = wear;
  if (aDay === null) return 'not known yet';
  return [
    `${sizeText(aDay)} a day`,
    ...(aRecord === null ? [] : [`${sizeText(aRecord)} a record`]),
    ...(ofAll === null ? [] : [`${sizeText(ofAll)} a day with all programs`]),
    ...(days === null ? [] : [`a new card lasts ${plural(days, 'day')}`]),
  ].join(', ');
}

function bufferText(buffer: StatusDocuments['buffer']): string {
  const stored = buffer.streams.reduce((sum, stream) => sum + stream.stored, 0);
  const overShare = buffer.streams.reduce((sum, stream) => sum + stream.over_share, 0);
  const used = `${sizeText(buffer.used_bytes)} of ${sizeText(buffer.max_bytes)}, ${plural(stored, 'record')}`;
  const refused = overShare === 0 ? '' : `; ${plural(overShare, 'record')} refused from devices over their share`;
  return `${used}, room for ${sizeText(buffer.room_bytes)}${refused}`;
}

/** Uplinks have lines of their own. */
function healthText({ status, parts }: StatusDocuments['health']): string {
  const reasons = parts.filter(({ name, reason }) => reason !== null && !name.startsWith('uplink:'));
  return [status, ...reasons.map(({ name, reason }) => `${name}: ${printable(reason ?? '', 300)}`)].join('; ');
}

function messagesText({ refused, denied, local }: StatusDocuments['gateway']['messages']): string {
  const count = refused.reduce((sum, entry) => sum + entry.count, 0);
  const reasons = refused
    .map(({ source, reason, count }) => `${source} ${printable(reason)} ${countText(count)}`)
    .join(', ');
  const refusedText = `${countText(count)} refused${reasons === '' ? '' : ` (${reasons})`}`;
  return `${refusedText}, ${countText(denied)} not allowed, ${countText(local)} local, since the start`;
}

function uplinkLines(uplinks: readonly UplinkDocument[]): readonly string[] {
  if (uplinks.length === 0) return [];
  const head = ['uplink', 'state', 'accepted', 'delivered', 'rejected', 'dropped', 'pending', 'lag'];
  const [headLine = '', ...lines] = tableLines([head, ...uplinks.map(uplinkRow)], { right: [2, 3, 4, 5, 6, 7] });
  return [headLine, ...lines.flatMap((line, index) => [line, ...reasonLines(uplinks[index])])];
}

function uplinkRow({ name, state, totals, lag_seconds }: UplinkDocument): readonly string[] {
  const { accepted, delivered, rejected, dropped, pending } = totals;
  return [name, state, ...[accepted, delivered, rejected, dropped, pending].map(countText), ageText(lag_seconds)];
}

function reasonLines(uplink: UplinkDocument | undefined): readonly string[] {
  return typeof uplink?.reason === 'string' ? [`  ${printable(uplink.reason, 300)}`] : [];
}
