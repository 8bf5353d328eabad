import { SluiceError } from '../core/errors.ts';
import type { LaneLog, LogReader } from '../core/lane-log.ts';
import type { LinkStatus, Upstream } from '../core/upstream.ts';
import type { Logger } from '../platform/logger.ts';
import { CloudEvents } from './cloud-event.ts';
import { FileUpstream } from './file/file-upstream.ts';
import { Forwarder } from './forwarder.ts';
import type { GatewayIdentity, TopicRoute, UplinkOptions } from './options.ts';
import { StatusBoard } from './status-board.ts';

/** A disk that has not answered for so long is treated as gone. */
const FILE_TIMEOUT_MS = 30_000;
/** Seldom enough for a line that is paid for by volume: about 1 MB a day. */
const IDLE_PROBE_MS = 30_000;

export interface UplinkSetOptions extends GatewayIdentity {
  readonly uplinks: readonly UplinkOptions[];
  /** Which topics of Kafka records go to by the MQTT topic they came in on. */
  readonly routes: readonly TopicRoute[];
  readonly reader: LogReader;
  readonly laneLog: LaneLog;
  readonly logger: Logger;
  /** Told at every change, and the rate at most once a second. */
  readonly onStatus: (name: string, status: LinkStatus) => void;
  /** Forwarding begins only when it resolves: the first time synchronisation. */
  readonly gate: Promise<void>;
}

/** All uplinks of the gateway. */
export interface UplinkSet {
  /**
   * Resolves when every lane stands in the log; an upstream that cannot be reached does not delay it.
   * @throws SluiceError `shared_directory`
   */
  start(): Promise<void>;
  /** Finishes what is in flight, or releases it. Never rejects, and ends by the deadline. */
  stop(options: { readonly deadlineMs: number }): Promise<void>;
  /** Resolves when nothing is in flight. False when there is no uplink of that name. Before `start`: it starts paused. */
  pause(name: string): Promise<boolean>;
  resume(name: string): Promise<boolean>;
  /** There may be something to send again that was not there before. */
  lookForReplays(): void;
}

export function createUplinkSet(options: UplinkSetOptions): UplinkSet {
  const forwarders = new Map<string, Forwarder>();
  const paused = new Set<string>();

  return {
    start: async () => {
      refuseSharedDirectories(options.uplinks);
      for (const uplink of options.uplinks) {
        const forwarder = await createForwarder(uplink, options);
        forwarders.set(uplink.name, forwarder);
        if (paused.has(uplink.name)) await forwarder.pause();
        await forwarder.start();
      }
    },
    stop: async ({ deadlineMs }) => {
      await Promise.all([...forwarders.values()].map((forwarder) => forwarder.stop({ deadlineMs })));
    },
    pause: async (name) => {
      if (!options.uplinks.some((uplink) => uplink.name === name)) return false;
      paused.add(name);
      await forwarders.get(name)?.pause();
      return true;
    },
    resume: async (name) => {
      if (!options.uplinks.some((uplink) => uplink.name === name)) return false;
      paused.delete(name);
      await forwarders.get(name)?.resume();
      return true;
    },
    lookForReplays: () => {
      for (const forwarder of forwarders.values()) forwarder.lookForReplays();
    },
  };
}

async function createForwarder(uplink: UplinkOptions, set: UplinkSetOptions): Promise<Forwarder> {
  const { gatewayId, instanceId, hostName, epoch, firstSeq, routes, reader, laneLog, gate } = set;
  const logger = set.logger.child({ uplink: uplink.name });
  const events = new CloudEvents({ gatewayId, epoch, typePrefix: uplink.typePrefix });
  const upstream = await createUpstream(uplink, {
    gatewayId,
    instanceId,
    hostName,
    epoch,
    firstSeq,
    events,
    routes,
    logger,
  });
  const board = new StatusBoard({ logger, publish: (status) => set.onStatus(uplink.name, status) });
  const sendTimeoutMs = uplink.type === 'kafka' ? uplink.requestTimeout : FILE_TIMEOUT_MS;
  return new Forwarder(
    { ...uplink, sendTimeoutMs, idleProbeMs: IDLE_PROBE_MS },
    { upstream, reader, laneLog, board, logger, gate },
  );
}

interface UpstreamParts extends GatewayIdentity {
  readonly events: CloudEvents;
  readonly routes: readonly TopicRoute[];
  readonly logger: Logger;
}

async function createUpstream(uplink: UplinkOptions, parts: UpstreamParts): Promise<Upstream> {
  if (uplink.type === 'file') return new FileUpstream({ ...uplink, ...parts });
  // Loaded only where it is used: it costs memory.
  const { createKafkaUpstream } = await import('./kafka/create-upstream.ts');
  const { loadKafkaClient } = await import('./kafka/client-library.ts');
  return createKafkaUpstream({ ...uplink, ...parts, createClient: await loadKafkaClient(uplink.client) });
}

/** Each would take the other's records for its own. */
function refuseSharedDirectories(uplinks: readonly UplinkOptions[]): void {
  const directories = uplinks.flatMap((uplink) => (uplink.type === 'file' ? [uplink.directory] : []));
  const shared = directories.find((directory, index) => directories.indexOf(directory) !== index);
  if (shared === undefined) return;
  throw new SluiceError(`two file uplinks write into ${shared}`, {
    code: 'shared_directory',
    hint: 'give each file uplink a directory of its own',
  });
}
