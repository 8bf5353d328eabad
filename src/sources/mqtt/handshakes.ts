import type { Intake } from '../../core/ports.ts';
import type { Handshake } from '../../core/record.ts';
import { LIMITS } from './options.ts';

interface OpenHandshake {
  /** PUBREC was sent, or will be: the message is known. */
  received: boolean;
  /** Until it resolves the key is on disk: a PUBREL waits for it, and a new message takes the packet id behind it. */
  releasing: Promise<void> | undefined;
}

/**
 * The inbound QoS 2 exchanges that are open [MQTT-4.3.3-2]. The store keeps the same keys with the records; here is
 * what is known of them without asking. A key is released durably before PUBCOMP and when its session ends, otherwise
 * the next message with its packet id would be taken for a repetition, and lost. Each client has a session that is
 * kept or is connected, so there are no more of them than of both.
 */
export class Handshakes {
  readonly #intake: Intake;
  readonly #clients = new Map<string, Map<number, OpenHandshake>>();

  /** `restored`: those that were open when the gateway stopped. */
  constructor(intake: Intake, restored: readonly Handshake[]) {
    this.#intake = intake;
    for (const { clientId, packetId } of restored) this.#add(clientId, packetId).received = true;
  }

  has(clientId: string): boolean {
    const client = this.#clients.get(clientId);
    return client !== undefined && [...client.values()].some(({ releasing }) => releasing === undefined);
  }

  /** True when one more would be too many. */
  isFull(clientId: string, packetId: number): boolean {
    const client = this.#clients.get(clientId);
    return client !== undefined && client.size >= LIMITS.openHandshakesPerClient && !client.has(packetId);
  }

  /** Called in the order of receipt, before the intake is. True when the PUBLISH repeats one that is open. */
  open(clientId: string, packetId: number): boolean {
    const known = this.#clients.get(clientId)?.get(packetId);
    if (known !== undefined && known.releasing === undefined) return true;
    this.#add(clientId, packetId);
    return false;
  }

  /** The exchange may be given up already, because its session ended while the message was stored: it stays so. */
  received(clientId: string, packetId: number): void {
    const handshake = this.#clients.get(clientId)?.get(packetId);
    if (handshake !== undefined) handshake.received = true;
  }

  /** Whether PUBREC is all that a PUBLISH needs. */
  isReceived(clientId: string, packetId: number): boolean {
    return this.#clients.get(clientId)?.get(packetId)?.received === true;
  }

  isOpen(clientId: string, packetId: number): boolean {
    return this.#clients.get(clientId)?.has(packetId) === true;
  }

  /** Resolves when PUBCOMP may be sent; it must not be when this rejects. */
  async release(clientId: string, packetId: number): Promise<void> {
    const handshake = this.#clients.get(clientId)?.get(packetId);
    if (handshake === undefined) return;
    handshake.releasing ??= this.#intake.release(clientId, packetId);
    await handshake.releasing;
    this.#forget(clientId, packetId, handshake);
  }

  /** Ends all of a client. Asks the intake at once, so that what the client sends from now on comes after. */
  async releaseAll(clientId: string): Promise<void> {
    const client = this.#clients.get(clientId);
    if (client === undefined) return;
    const ended = [...client];
    const releasing = this.#intake.release(clientId, null);
    for (const [, handshake] of ended) handshake.releasing = releasing;
    await releasing;
    for (const [packetId, handshake] of ended) this.#forget(clientId, packetId, handshake);
  }

  /** Ends those of other clients: their sessions ended with the gateway before. */
  async keepOnly(hasSession: (clientId: string) => boolean): Promise<void> {
    const ended = [...this.#clients.keys()].filter((clientId) => !hasSession(clientId));
    await Promise.all(ended.map((clientId) => this.releaseAll(clientId)));
  }

  #add(clientId: string, packetId: number): OpenHandshake {
    let client = this.#clients.get(clientId);
    if (client === undefined) {
      client = new Map();
      this.#clients.set(clientId, client);
    }
    const handshake: OpenHandshake = { received: false, releasing: undefined };
    client.set(packetId, handshake);
    return handshake;
  }

  /** A new message may have taken the packet id meanwhile. */
  #forget(clientId: string, packetId: number, handshake: OpenHandshake): void {
    const client = this.#clients.get(clientId);
    if (client?.get(packetId) !== handshake) return;
    client.delete(packetId);
    if (client.size === 0) this.#clients.delete(clientId);
  }
}
