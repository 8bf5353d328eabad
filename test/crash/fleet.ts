import { HttpSender } from '../support/http-sender.ts';
import { MqttSender, type SessionKind } from '../support/mqtt-sender.ts';
import { SeededRandom } from '../support/random.ts';
import { waitFor } from '../support/wait-for.ts';

const KINDS: readonly SessionKind[] = ['resume', 'forget', 'clean'];
const HTTP_SENDERS = 4;
const FINISH_TIMEOUT_MS = 60_000;

export interface FleetOptions {
  readonly port: number;
  /** Of the API: with it there are devices that speak HTTP too. */
  readonly apiPort?: number | undefined;
  readonly seed: number;
  readonly messagesPerS: number;
}

/** Eight devices: every kind of session at QoS 1 and 2, those that send again twice; and four that speak HTTP. */
export class Fleet {
  readonly senders: readonly (MqttSender | HttpSender)[];

  constructor({ port, apiPort, seed, messagesPerS }: FleetOptions) {
    const plan = [...KINDS, 'resume' as const].flatMap((kind, index) =>
      ([1, 2] as const).map((qos) => ({ kind, qos, device: `${kind}-q${qos}-${index}` })),
    );
    const mqtt = plan.map(
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
    this.senders = apiPort === undefined ? mqtt : [...mqtt, ...httpSenders(apiPort, seed)];
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

  get ackedCount(): number {
    return this.senders.reduce((sum, { ledger }) => sum + ledger.ackedCount, 0);
  }

  get strayCount(): number {
    return this.senders.reduce((sum, sender) => sum + sender.strayCount, 0);
  }

  get speaksHttp(): boolean {
    return this.senders.some((sender) => sender instanceof HttpSender);
  }

  /** Requests over HTTP that were answered as they had been before. */
  get replayedCount(): number {
    return this.senders.reduce((sum, sender) => sum + (sender instanceof HttpSender ? sender.replayedCount : 0), 0);
  }

  /** Devices that speak QoS 2, or HTTP with an idempotency key: none of their records may be stored twice. */
  get exactlyOnceDevices(): readonly string[] {
    return this.senders
      .map(({ ledger }) => ledger.device)
      .filter((device) => device.includes('-q2-') || isHttpDevice(device));
  }
}

export function isHttpDevice(device: string): boolean {
  return device.startsWith('http-');
}

function httpSenders(port: number, seed: number): HttpSender[] {
  return Array.from({ length: HTTP_SENDERS }, (_, index) => {
    const random = new SeededRandom(seed * 37 + index);
    return new HttpSender({ device: `http-${index}`, port, maxBatch: 12, random });
  });
}
