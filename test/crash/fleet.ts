import { MqttSender, type SessionKind } from '../support/mqtt-sender.ts';
import { SeededRandom } from '../support/random.ts';
import { waitFor } from '../support/wait-for.ts';

const KINDS: readonly SessionKind[] = ['resume', 'forget', 'clean'];
const FINISH_TIMEOUT_MS = 60_000;

export interface FleetOptions {
  readonly port: number;
  readonly seed: number;
  readonly messagesPerS: number;
}

/** Eight devices: every kind of session at QoS 1 and 2, those that send again twice. */
export class Fleet {
  readonly senders: readonly MqttSender[];

  constructor({ port, seed, messagesPerS }: FleetOptions) {
    const plan = [...KINDS, 'resume' as const].flatMap((kind, index) =>
      ([1, 2] as const).map((qos) => ({ kind, qos, device: `${kind}-q${qos}-${index}` })),
    );
    this.senders = plan.map(
      ({ kind, qos, device }, index) =>
        new MqttSender({
          device,
          port,
          kind,
          qos,
          messagesPerS,
          inFlight: 10,
          maxBatch: 12,
          random: new SeededRandom(seed * 31 + index),
        }),
    );
  }

  start(): void {
    for (const sender of this.senders) sender.start();
  }

  /** No new messages, and everything in flight acknowledged. */
  async finish(): Promise<void> {
    for (const sender of this.senders) sender.stopProducing();
    const unfinished = (): number => this.senders.reduce((sum, sender) => sum + sender.unfinishedCount, 0);
    await waitFor(() => unfinished() === 0, {
      what: 'every message in flight to be acknowledged',
      timeoutMs: FINISH_TIMEOUT_MS,
    }).catch((cause: unknown) => {
      throw new Error(`${unfinished()} messages are still not acknowledged`, { cause });
    });
    this.close();
  }

  close(): void {
    for (const sender of this.senders) sender.close();
  }

  get strayCount(): number {
    return this.senders.reduce((sum, sender) => sum + sender.strayCount, 0);
  }

  /** Devices that speak QoS 2: none of their records may be stored twice. */
  get exactlyOnceDevices(): readonly string[] {
    return this.senders.map(({ ledger }) => ledger.device).filter((device) => device.includes('-q2-'));
  }
}
