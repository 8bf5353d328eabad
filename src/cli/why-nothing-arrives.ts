import { printable } from '../core/printable.ts';
import { ageText, countText, plural } from './format.ts';
import type { StatusDocuments, UplinkDocument } from './status-documents.ts';

/** The worst first. */
const STATES: readonly UplinkDocument['state'][] = ['blocked', 'down', 'paused', 'connecting', 'stopped'];

/** One sentence that says why nothing arrives upstream, with what to do; undefined when something does. */
export function whyNothingArrives(documents: StatusDocuments): string | undefined {
  const { buffer, uplinks } = documents;
  if (buffer.full !== null) return `nothing can be stored: ${printable(buffer.full, 300)}`;
  if (acceptedCount(documents) === 0) return whyNothingIsAccepted(documents);
  if (uplinks.uplinks.length === 0)
    return 'no uplink is configured, so records stay on this machine (uplinks, in the configuration)';
  return whyNothingIsForwarded(documents) ?? whyNothingNewComes(documents);
}

/** Gaps are made by the gateway itself. */
function acceptedCount({ buffer }: StatusDocuments): number {
  return buffer.streams.reduce((sum, { stream, accepted }) => (stream === 'gaps' ? sum : sum + accepted), 0);
}

function whyNothingIsAccepted({ gateway }: StatusDocuments): string {
  const { refused, denied, local } = gateway.messages;
  const [reason] = [...refused].sort((a, b) => b.count - a.count);
  if (reason !== undefined) {
    const count = refused.reduce((sum, entry) => sum + entry.count, 0);
    return `no message could be taken: ${countText(count)} refused, most of them as ${printable(reason.reason)}`;
  }
  if (denied > 0) {
    return `${plural(denied, 'publish').replace(/s$/, 'es')} not allowed: a device may publish only below devices/{its id}/`;
  }
  if (local > 0) return `${plural(local, 'message')} on other topics: publish to devices/{id}/telemetry`;
  if (gateway.mqtt.clients > 0)
    return `${plural(gateway.mqtt.clients, 'client')} connected, but none has published anything yet`;
  return 'no device has connected yet: publish to devices/{id}/telemetry';
}

function whyNothingIsForwarded({ gateway, uplinks: { uplinks } }: StatusDocuments): string | undefined {
  if (uplinks.some(isForwarding)) return undefined;
  if (gateway.clock === 'unsynced' && uplinks.every(({ state }) => state === 'connecting' || state === 'up')) {
    return 'forwarding waits for the first time synchronisation (clock.waitForSync, in the configuration)';
  }
  const [worst] = [...uplinks]
    .sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state))
    .filter(({ state }) => state !== 'up');
  if (worst !== undefined) return `uplink ${worst.name} is ${worst.state}${reasonOf(worst)}`;
  const waiting = uplinks.find(({ totals }) => totals.pending > 0);
  if (waiting !== undefined) return `uplink ${waiting.name} is up, and has not delivered its first batch yet`;
  return 'no uplink has got a record yet: their streams have had none since they began';
}

/** Up, and at least once something went through. */
function isForwarding({ state, totals }: UplinkDocument): boolean {
  return state === 'up' && totals.delivered > 0;
}

function reasonOf({ state, reason, name }: UplinkDocument): string {
  if (state === 'paused') return `: POST /v1/uplinks/${name}/resume lets it go on`;
  return reason === null ? '' : `: ${printable(reason, 300)}`;
}

function whyNothingNewComes({ devices: { devices, next_cursor } }: StatusDocuments): string | undefined {
  if (next_cursor !== null || devices.length === 0 || devices.some(({ stale }) => !stale)) return undefined;
  const ages = devices.flatMap(({ age_seconds }) => (age_seconds === null ? [] : [age_seconds]));
  return ages.length === 0 ? undefined : `no device has sent anything for ${ageText(Math.min(...ages))}`;
}
