import { printable } from '../core/printable.ts';
import { ageText, countText, plural, sizeText, tableLines } from './format.ts';
import type { ReplayDocument, StatusDocuments, UplinkDocument } from './status-documents.ts';
import { whyNothingArrives } from './why-nothing-arrives.ts';

/** What is delivered within this is no backlog that anybody waits for. */
const LONG_S = 60;

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
    uplinkLines(documents.uplinks.uplinks, documents.replays.replays),
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
    ...(buffer.salvaged === null ? [] : [['salvage', salvageText(buffer.salvaged)]]),
    ...(buffer.set_aside_bytes === 0 ? [] : [['set aside', setAsideText(buffer.set_aside_bytes)]]),
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

function salvageText(part: number): string {
  return `records of a damaged log are put back, ${Math.floor(100 * part)} % of it looked through; forwarding waits for the end`;
}

function setAsideText(bytes: number): string {
  return `${sizeText(bytes)} of a damaged store; what of it is lost is in gaps with reason corruption, of unknown number where their count is 0`;
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

function uplinkLines(uplinks: readonly UplinkDocument[], replays: readonly ReplayDocument[]): readonly string[] {
  if (uplinks.length === 0) return [];
  const head = ['uplink', 'state', 'accepted', 'delivered', 'rejected', 'dropped', 'pending', 'lag'];
  const [headLine = '', ...lines] = tableLines([head, ...uplinks.map(uplinkRow)], { right: [2, 3, 4, 5, 6, 7] });
  return [headLine, ...lines.flatMap((line, index) => [line, ...detailLines(uplinks[index], replays)])];
}

function uplinkRow({ name, state, totals, lag_seconds }: UplinkDocument): readonly string[] {
  const { accepted, delivered, rejected, dropped, pending } = totals;
  return [name, state, ...[accepted, delivered, rejected, dropped, pending].map(countText), ageText(lag_seconds)];
}

/** What does not fit into its row. */
function detailLines(uplink: UplinkDocument | undefined, replays: readonly ReplayDocument[]): readonly string[] {
  if (uplink === undefined) return [];
  const active = replays.filter(({ uplink: name, state }) => name === uplink.name && state === 'active');
  const details = [reasonText(uplink), backlogText(uplink), meterText(uplink), ...active.map(replayText)];
  return details.filter((detail) => detail !== undefined).map((detail) => `  ${detail}`);
}

function reasonText({ reason }: UplinkDocument): string | undefined {
  return reason === null ? undefined : printable(reason, 300);
}

function backlogText({ backfills, reason, seconds_to_drained: seconds }: UplinkDocument): string | undefined {
  const drained = seconds === null ? undefined : `drained in ${ageText(seconds)}`;
  if (backfills.length === 0) return seconds === null || seconds < LONG_S ? undefined : drained;
  const streams = [...new Set(backfills.map(({ stream }) => stream))].join(', ');
  // The reason says what is waited for.
  const known = drained ?? (reason === null ? 'it does not become less' : undefined);
  const line = `fresh records go first, behind them ${plural(backfills.length, 'backfill')} of ${streams}`;
  return known === undefined ? line : `${line}, ${known}`;
}

function meterText(uplink: UplinkDocument): string | undefined {
  const { sent_bytes_today: sent, max_bytes_per_day: aDay, max_bytes_per_second: aSecond } = uplink;
  if (aDay === null && aSecond === null) return undefined;
  const budget = aDay === null ? '' : ` of ${sizeText(aDay)}`;
  const speed = aSecond === null ? '' : `, at most ${sizeText(aSecond)} a second`;
  return `${sizeText(sent ?? 0)}${budget} sent today${speed}`;
}

function replayText({ id, stream, device, delivered, rejected, removed }: ReplayDocument): string {
  const what = device === null ? stream : `${stream} of ${printable(device)}`;
  const counts = `${countText(delivered)} delivered, ${countText(rejected)} rejected, ${countText(removed)} removed`;
  return `replay ${id} of ${what}: ${counts}`;
}
