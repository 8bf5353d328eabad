import { Buffer } from 'node:buffer';
import type { Command, CommandAnswer, CommandSink, Handover, OnReachable } from '../../core/command.ts';
import { deviceOfTopic, nameInNamespace } from '../../core/device-topic.ts';
import type { Identity } from './access.ts';
import { type AnswerFault, parseAnswer } from './answer.ts';
import { actsFor, CommandAudience, deviceNamedIn } from './command-audience.ts';
import type { Packet } from './lean-mqtt-packet.ts';
import { lowerQos, type Qos } from './packet.ts';

/** The side of a connected client that commands need. */
export interface ListeningClients<Client> {
  /** Whether it reads what it is sent. */
  hasRoom(client: Client): boolean;
  /** The highest QoS that it was granted for a topic. */
  grantedQos(client: Client, topic: string): Qos;
  /** One that nothing on its way to the client has; undefined when there is none. */
  nextPacketId(client: Client): number | undefined;
  write(client: Client, packet: Packet): void;
}

export interface CommandSinkOptions<Client> {
  readonly clients: ListeningClients<Client>;
  readonly onReachable: OnReachable;
  readonly onIgnored: (response: IgnoredResponse) => void;
}

export type IgnoreReason = 'unknown_request' | 'other_device' | AnswerFault;

/** Foreign text, but for the reason. */
export interface IgnoredResponse {
  readonly clientId: string;
  readonly identity: Identity;
  readonly topic: string;
  readonly reason: IgnoreReason;
}

export interface Response {
  readonly clientId: string;
  readonly identity: Identity;
  readonly topic: string;
  readonly payload: Buffer;
}

interface Waiting {
  readonly device: string;
  readonly onAnswer: (answer: CommandAnswer) => void;
}

const RESPONSES = 'responses/';

/**
 * The way of commands over MQTT. A command is written to clients that are connected and listen, past the queues of
 * their sessions: those would send it again to a client that comes back later.
 */
export class MqttCommandSink<Client> implements CommandSink {
  readonly #options: CommandSinkOptions<Client>;
  readonly #audience = new CommandAudience<Client>();
  /** By request id. */
  readonly #waiting = new Map<string, Waiting>();
  /** Who did not read when there was a command for it. */
  readonly #passedOver = new Set<Client>();
  readonly #ignoredCounts: Record<IgnoreReason, number> = {
    unknown_request: 0,
    other_device: 0,
    not_json: 0,
    not_an_object: 0,
    bad_status: 0,
    bad_error: 0,
    too_large: 0,
  };

  constructor(options: CommandSinkOptions<Client>) {
    this.#options = options;
  }

  /** By reason, since the start. */
  get ignoredCounts(): Readonly<Record<IgnoreReason, number>> {
    return this.#ignoredCounts;
  }

  takes(): boolean {
    return false;
  }

  async send(command: Command, onAnswer: (answer: CommandAnswer) => void): Promise<Handover> {
    const { requestId, device, name } = command;
    const topic = `devices/${device}/commands/${name}`;
    const audience = [...this.#audience.of(topic)].filter(([client]) => this.#hasRoom(client));
    if (!audience.some(([, acts]) => acts)) return 'unreachable';
    this.#waiting.set(requestId, { device, onAnswer });
    const payload = payloadOf(command);
    for (const [client] of audience) this.#write(client, topic, payload);
    return 'sent';
  }

  forget(requestId: string): void {
    this.#waiting.delete(requestId);
  }

  /** Filters that were granted to a client. */
  subscribed(client: Client, filters: Iterable<string>): void {
    for (const filter of filters) this.#audience.add(client, filter);
    this.#tell(filters);
  }

  unsubscribed(client: Client, filters: Iterable<string>): void {
    for (const filter of filters) this.#audience.remove(client, filter);
  }

  gone(client: Client): void {
    this.#audience.removeAll(client);
    this.#passedOver.delete(client);
  }

  /** A client reads again. */
  drained(client: Client): void {
    if (this.#passedOver.delete(client)) this.#tell(this.#audience.filtersOf(client));
  }

  /** Something that was published, and allowed; most is no response. A repetition finds that nobody waits any more. */
  heard(response: Response): void {
    // For each message that is published: most are told apart by this alone.
    if (!response.topic.includes(RESPONSES)) return;
    const name = nameInNamespace(response.topic);
    if (name === undefined || !name.startsWith(RESPONSES)) return;
    const answer = this.#answerIn(response, name.slice(RESPONSES.length));
    if (typeof answer !== 'string') return;
    this.#ignoredCounts[answer] += 1;
    const { clientId, identity, topic } = response;
    this.#options.onIgnored({ clientId, identity, topic, reason: answer });
  }

  /** Why it is none, or null when it was handed over. */
  #answerIn({ topic, payload }: Response, requestId: string): IgnoreReason | null {
    const waiting = this.#waiting.get(requestId);
    if (waiting === undefined) return 'unknown_request';
    if (waiting.device !== deviceOfTopic(topic)) return 'other_device';
    const answer = parseAnswer(payload);
    if (typeof answer === 'string') return answer;
    this.#waiting.delete(requestId);
    waiting.onAnswer(answer);
    return null;
  }

  #hasRoom(client: Client): boolean {
    if (this.#options.clients.hasRoom(client)) return true;
    this.#passedOver.add(client);
    return false;
  }

  #tell(filters: Iterable<string>): void {
    const devices = new Set([...filters].filter(actsFor).map(deviceNamedIn));
    if (devices.has(null)) this.#options.onReachable(null);
    else for (const device of devices) this.#options.onReachable(device);
  }

  #write(client: Client, topic: string, payload: Buffer): void {
    const { clients } = this.#options;
    const messageId = clients.nextPacketId(client);
    // Nobody has as many messages on their way; and a command of QoS 0 is better than none.
    const qos = messageId === undefined ? 0 : lowerQos(1, clients.grantedQos(client, topic));
    const packet = { cmd: 'publish', topic, payload, qos, retain: false, dup: false };
    clients.write(client, qos === 0 || messageId === undefined ? packet : { ...packet, messageId });
  }
}

function payloadOf({ requestId, params, timeoutMs, deadline }: Command): Buffer {
  const body = { request_id: requestId, params, timeout_ms: timeoutMs, deadline: new Date(deadline).toISOString() };
  return Buffer.from(JSON.stringify(body));
}
