import type { Duplex } from 'node:stream';

/** A new connection that carries MQTT's bytes, and what its way here tells about it. */
export interface Link {
  /** A TCP socket, a TLS socket, or a WebSocket as a stream. */
  readonly socket: Duplex;
  readonly address: string;
  /** Whether clients without a name are let in, and trusted. */
  readonly anonymous: boolean;
  /** The device that the client's certificate names; null when it showed none. */
  readonly certified: string | null;
}
