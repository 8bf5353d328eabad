import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { createLogger, type LoggerOptions } from '../platform/logger.ts';
import { type Reply, serve } from '../platform/rpc.ts';
import { giveBackStartMemory } from '../platform/start-memory.ts';
import { joinWatch } from '../platform/thread-watch.ts';
import { endThreadAsDamaged } from '../store/damage/suspect.ts';
import { LaneClient } from '../store/lane-client.ts';
import { SqliteLogReader } from '../store/log/reader.ts';
import type { GatewayIdentity, TopicRoute, UplinkOptions } from '../uplink/options.ts';
import { createUplinkSet, type UplinkSet } from '../uplink/uplink-set.ts';
import type { WorkerData } from './spawn-worker.ts';

/** What `gateway.ts` hands to this thread. */
export interface UplinkWorkerData extends WorkerData {
  /** To the store worker. */
  readonly lanes: MessagePort;
  /** Changes of link status, for the main thread: `{ name, status }`. */
  readonly statuses: MessagePort;
}

export interface UplinkStart extends GatewayIdentity {
  readonly uplinks: readonly UplinkOptions[];
  readonly routes: readonly TopicRoute[];
  readonly logFile: string;
  readonly logger: LoggerOptions;
  readonly paused: readonly string[];
}

export type UplinkOperations = {
  start: { args: UplinkStart; result: null };
  openGate: { args: null; result: null };
  pause: { args: string; result: null };
  resume: { args: string; result: null };
  lookForReplays: { args: null; result: null };
  stop: { args: { deadlineMs: number }; result: null };
};

type Handlers = { [Op in keyof UplinkOperations]: (args: UplinkOperations[Op]['args']) => Promise<void> };

if (parentPort === null) throw new Error('uplink-worker is the entry of a worker thread');
const { lanes, statuses, watch } = workerData as UplinkWorkerData;
const gate = Promise.withResolvers<void>();
let set: UplinkSet | undefined;
let reader: SqliteLogReader | undefined;

joinWatch('uplink-worker', watch);
giveBackStartMemory();
const handlers: Handlers = {
  start: async ({ logFile, paused, logger, ...start }) => {
    reader = new SqliteLogReader(logFile, endThreadAsDamaged(logFile));
    set = createUplinkSet({
      ...start,
      reader,
      laneLog: new LaneClient(lanes),
      logger: createLogger(logger),
      onStatus: (name, status) => statuses.postMessage({ name, status }),
      gate: gate.promise,
    });
    for (const name of paused) await set.pause(name);
    await set.start();
  },
  openGate: async () => gate.resolve(),
  pause: async (name) => void (await set?.pause(name)),
  resume: async (name) => void (await set?.resume(name)),
  lookForReplays: async () => set?.lookForReplays(),
  stop: async (deadline) => {
    await set?.stop(deadline);
    reader?.close();
  },
};

serve(parentPort, (op, args: never, reply: Reply) =>
  reply.settle(handlers[op as keyof Handlers](args).then(() => null)),
);
