import type { Seq } from './record.ts';
import type { Stream } from './stream.ts';

/** Names an MQTT session that outlives its connection. Never used again while anything of it may be left on disk. */
export type SessionId = number;

/** The order in which the broker took the messages that it keeps. Only grows, over restarts too. */
export type Place = number;

export type Qos = 0 | 1 | 2;

export interface StoredSubscription {
  readonly topic: string;
  readonly qos: Qos;
  /** Of MQTT 5; a client of 3.1.1 gives none. */
  readonly subscriptionIdentifier?: number | undefined;
}

/** A session as `state.db` keeps it. */
export interface SessionRow {
  readonly id: SessionId;
  readonly clientId: string;
  /** Whose it is: the device that was logged in; empty for an anonymous client. */
  readonly owner: string;
  /** When its client went away, in milliseconds since 1970; null while it is there, or when the clock did not know. */
  readonly awaySince: number | null;
  readonly subscriptions: readonly StoredSubscription[];
}

export type SessionChange =
  | { readonly kind: 'begin'; readonly session: SessionId; readonly clientId: string; readonly owner: string }
  | { readonly kind: 'subscribe'; readonly session: SessionId; readonly subscriptions: readonly StoredSubscription[] }
  | { readonly kind: 'unsubscribe'; readonly session: SessionId; readonly topics: readonly string[] }
  | { readonly kind: 'away'; readonly session: SessionId; readonly since: number | null }
  | { readonly kind: 'end'; readonly session: SessionId }
  | { readonly kind: 'will'; readonly will: StoredWill }
  /** It was published, or its client said goodbye. */
  | { readonly kind: 'will_gone'; readonly id: Place };

/** The will of a client that is connected [MQTT-3.1.2-8], as `state.db` keeps it: a gateway that is killed leaves it behind. */
export interface StoredWill {
  /** In the order in which they came. */
  readonly id: Place;
  readonly clientId: string;
  /** Whose it is: the device that was logged in; empty for an anonymous client. */
  readonly owner: string;
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly payload: Uint8Array;
}

/** One message for one session. The packet id is its own from the beginning, so that sending it writes nothing. */
export interface QueuedCopy {
  readonly session: SessionId;
  readonly packetId: number;
  readonly qos: 1 | 2;
}

/** What the broker keeps of a message: for sessions, and as the topic's retained message. */
export interface Keep {
  readonly place: Place;
  /** Whether it is now the retained message of its topic; an empty payload takes that away. */
  readonly retained: boolean;
  /** As it was published. */
  readonly qos: Qos;
  /** When it came, in milliseconds since 1970; 0 when the clock did not know. */
  readonly at: number;
  readonly copies: readonly QueuedCopy[];
}

/** As it goes to the log. */
export interface KeptMessage extends Keep {
  readonly topic: string;
  /** null: the only record of the same entry is it, byte for byte. */
  readonly payload: Uint8Array | null;
}

/** A message in the queue of a session, as it comes back from the log. */
export interface QueuedMessage extends QueuedCopy {
  readonly place: Place;
  readonly at: number;
  /** PUBREC came: PUBREL is what is sent from now on. */
  readonly released: boolean;
  /**
   * null: it is that of a record which is not there; while a damaged log is put back it may still come. Of what is released
   * it says nothing.
   */
  readonly content: MessageContent | null;
}

export interface MessageContent {
  readonly topic: string;
  readonly payload: Uint8Array;
}

export interface QueuePosition {
  readonly place: Place;
  readonly session: SessionId;
}

export interface QueuePage {
  readonly messages: readonly QueuedMessage[];
  /** How far the page reaches, damaged rows that are left out included; null when there are no more. */
  readonly upTo: QueuePosition | null;
}

export type QueueChange =
  | ({ readonly kind: 'released' | 'removed' } & QueuePosition)
  /** All of a session. */
  | { readonly kind: 'ended'; readonly session: SessionId };

export interface RetainedMessage {
  readonly topic: string;
  readonly qos: Qos;
  readonly payload: Uint8Array;
}

/** Where a record stands. */
export interface RecordPlace {
  readonly stream: Stream;
  readonly seq: Seq;
}
