import type { GatewayProcess } from '../../support/gateway-process.ts';
import type { SeededRandom } from '../../support/random.ts';

export interface Scene {
  readonly gateway: GatewayProcess;
  readonly random: SeededRandom;
  /** False in a control. */
  readonly isTransactional: boolean;
  /** Acknowledged records that Kafka can never take. */
  poisonCount: number;
}

export interface Fault {
  /** Of the sum of all. */
  readonly share: number;
  /** So rare that a long run plays it once whatever comes by chance. */
  readonly isSure?: boolean;
  /** Ends with a gateway that is ready, and a Kafka that can be reached. */
  play(scene: Scene): Promise<void>;
}

/** Kafka, the way there, and what may happen to both. */
export interface Surroundings {
  /** The gateway's `brokers`. */
  readonly addresses: readonly string[];
  /** Where readers look, with commas between them. */
  readonly bootstrap: string;
  /** By their names. */
  readonly faults: Readonly<Record<string, Fault>>;
  /** Resolves when everything is again as it was before the fault. */
  heal(): Promise<void>;
  remove(): Promise<void>;
}

export async function killGateway({ gateway }: Scene): Promise<void> {
  await gateway.stop('SIGKILL');
  await gateway.start();
}
