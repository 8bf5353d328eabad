import type { AedesBroker, BrokerClient } from './aedes-broker.ts';
import type { ListeningClients } from './command-sink.ts';
import { grantedQos } from './granted-qos.ts';
import type { Packet } from './lean-mqtt-packet.ts';
import type { Qos } from './packet.ts';
import type { SessionMessages } from './session-messages.ts';

export interface CommandClientsOptions {
  readonly broker: () => AedesBroker;
  readonly messages: SessionMessages;
  readonly hasRoom: (client: BrokerClient) => boolean;
}

/** How commands get to clients of the broker, past the queues of their sessions. */
export class CommandClients implements ListeningClients<BrokerClient> {
  readonly #options: CommandClientsOptions;

  constructor(options: CommandClientsOptions) {
    this.#options = options;
  }

  hasRoom(client: BrokerClient): boolean {
    // It said goodbye, though its socket is still there.
    return !client.closed && this.#options.hasRoom(client);
  }

  grantedQos({ subscriptions }: BrokerClient, topic: string): Qos {
    return grantedQos(subscriptions, { topic, qos: 1, retain: true });
  }

  /** Of a session that is kept, one that nothing in its queue has. */
  nextPacketId(client: BrokerClient): number | undefined {
    const { broker, messages } = this.#options;
    return client.clean ? broker().nextPacketId(client) : messages.packetIdPastQueue(client.id, true);
  }

  write(client: BrokerClient, packet: Packet): void {
    this.#options.broker().write(client, packet);
  }
}
