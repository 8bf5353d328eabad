import type { Grant } from './access.ts';

/** PEM files, absolute paths. */
export interface MqttTlsOptions {
  /** The listener's certificate, and behind it those between it and its authority. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Authorities whose clients' certificates are taken; without it clients are not asked for one. */
  readonly caFile?: string | undefined;
  readonly requireClientCertificate: boolean;
}

/** One address to listen on. Port 0 takes a free one. */
export interface MqttListenerOptions {
  readonly host: string;
  readonly port: number;
  /** Whether clients without a name are let in, and trusted. */
  readonly anonymous: boolean;
  readonly tls?: MqttTlsOptions | undefined;
  readonly websocket?: boolean;
  /** Web pages that may connect over WebSocket, beside those of the listener's own address. */
  readonly allowedOrigins?: readonly string[];
}

/** The configuration's `mqtt` part: sizes in bytes, durations in milliseconds. */
export interface MqttOptions {
  readonly listeners: readonly MqttListenerOptions[];
  /** Whole packet, header included. */
  readonly maxPacketSize: number;
  /** The same for everything before CONNECT was accepted. */
  readonly maxPacketSizeBeforeConnect: number;
  readonly maxClients: number;
  /** New connections per second, after a burst of a fifth of a second's worth; 0 is unlimited. */
  readonly maxConnectRate: number;
  /** Messages per second and client, after a burst of one second's worth; 0 is unlimited. */
  readonly maxPublishRate: number;
  /** Messages that wait for one session, connected or not, their bytes, and for how long. */
  readonly maxQueuedMessages: number;
  readonly maxQueuedBytes: number;
  readonly maxQueuedAge: number;
  /** A session ends when its client was away for so long. */
  readonly sessionExpiry: number;
  readonly maxTopicLevels: number;
  /** A client that does not read for so long is disconnected. */
  readonly drainTimeout: number;
  readonly connectTimeout: number;
  /** What devices that log in may do beside `devices/{their id}/…`. */
  readonly grants: readonly Grant[];
}

/** Bounds that no option changes: they keep memory bounded whatever the clients do. */
export const LIMITS = {
  clientIdLength: 256,
  /** [MQTT 3.1, 3.1 Client Identifier] */
  clientIdLengthMqtt31: 23,
  subscriptionsPerClient: 1_000,
  filterLength: 1_024,
  /** QoS 2 messages of one client that wait for PUBREL, however often it connected meanwhile. */
  openHandshakesPerClient: 10_000,
  devicesPerConnection: 1_000,
  retainedTopics: 20_000,
  /** Whether a device is there: small, and as many as devices ever spoke, listed or not. */
  retainedStatusTopics: 100_000,
  retainedBytes: 16 * 1024 * 1024,
  queuedBytes: 32 * 1024 * 1024,
  /** Sessions that outlive their connection. */
  sessions: 2_000,
  sessionsPerDevice: 100,
  /** The topic filters of all of them in memory, and those of one device; anonymous clients may have the whole. */
  filterBytes: 32 * 1024 * 1024,
  filterBytesPerDevice: 4 * 1024 * 1024,
  /** Of connected clients, on disk; and bytes of those of one device. */
  wills: 10_000,
  willBytes: 16 * 1024 * 1024,
  willBytesPerDevice: 2 * 1024 * 1024,
  /** Bytes a subscriber may leave unread before messages are withheld from it. */
  unreadBytes: 1024 * 1024,
} as const;
