import { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';
import type { Identity } from './access.ts';
import { AckWatch } from './ack-watch.ts';
import { Brake } from './brake.ts';
import { connackPacket, inspectConnect, REFUSED, type RefusalCode } from './connect-packet.ts';
import { type FrameFault, FrameGuard } from './frame-guard.ts';
import { HeldBytes } from './held-bytes.ts';
import type { Link } from './link.ts';
import { Pacer } from './rate-limit.ts';
import type { WebSocketFault } from './websocket-stream.ts';

export type ConnectionFault =
  | { readonly kind: FrameFault | WebSocketFault | 'not_connect' | 'does_not_read' | 'ack_withheld' }
  | { readonly kind: 'unsupported_version'; readonly version: number };

export interface ConnectionOptions {
  readonly link: Link;
  readonly maxPacketBytes: number;
  readonly maxConnectBytes: number;
  readonly drainTimeoutMs: number;
  readonly maxPublishRatePerS: number;
  /** The connection is being closed because of it. */
  readonly onFault: (fault: ConnectionFault) => void;
}

/** `connect`: CONNECT is not complete · `login`: it is being judged · `open`: let in · `closing`: nothing counts any more. */
type Phase = 'connect' | 'login' | 'open' | 'closing';

/** How long a client may take to read what it was sent last. */
const LAST_WORD_MS = 1_000;
/** What the framing of WebSocket may add to a CONNECT. */
const FRAMING_BYTES = 1_024;

/**
 * A socket as aedes sees it. aedes pulls bytes with `read`; that is where they are looked at, held back until the
 * client is let in, and withheld while the client does not read what it is sent. Only whole packets are handed over.
 */
export class Connection {
  readonly socket: Duplex;
  readonly link: Link;
  readonly pacer: Pacer;
  readonly brake = new Brake();
  readonly acks: AckWatch;
  /** Known once the CONNECT was found good. */
  clientId = '';
  identity: Identity = null;
  /** From CONNECT; 0 is none. */
  keepAliveS = 0;
  readonly #options: ConnectionOptions;
  readonly #guard: FrameGuard;
  readonly #read: (size?: number) => Buffer | null;
  #phase: Phase = 'connect';
  /** The beginning of a packet that is not complete. */
  readonly #held = new HeldBytes();
  /** What came behind CONNECT. */
  #behindConnect: Buffer | null = null;
  #frozenTimer: NodeJS.Timeout | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.link = options.link;
    this.socket = options.link.socket;
    this.pacer = new Pacer({ ratePerS: options.maxPublishRatePerS });
    this.acks = new AckWatch(() => this.#fail({ kind: 'ack_withheld' }));
    this.#guard = new FrameGuard(options.maxPacketBytes);
    this.#read = this.socket.read.bind(this.socket);
  }

  /** Takes the place of the socket's own `read`. */
  attach(): void {
    this.socket.read = (size?: number) => (size === 0 ? this.#read(0) : this.#pull());
    this.socket.on('drain', () => this.#thaw());
    this.socket.once('close', () => {
      clearTimeout(this.#frozenTimer);
      this.acks.stop();
    });
    this.socket.on('fault', (kind: WebSocketFault) => this.#broke(kind));
    this.socket.on('partial', (bytes: number) => this.#partial(bytes));
  }

  get address(): string {
    return this.link.address;
  }

  get closed(): boolean {
    return this.socket.destroyed;
  }

  /** Whether more may be written. If not, and the client goes on not reading, the connection is closed. */
  hasRoom(): boolean {
    if (this.closed || this.#phase !== 'open') return false;
    if (!this.socket.writableNeedDrain) return true;
    this.#freeze();
    return false;
  }

  /** CONNACK was written: from now on the client is served. */
  serve(): void {
    // aedes tells of it a turn later: the client may be gone.
    if (this.#phase !== 'login' || this.closed) return;
    this.#phase = 'open';
    this.acks.start(this.keepAliveS);
  }

  /** What waits for its rate is taken and answered at once. */
  hurry(): void {
    this.pacer.flush();
    this.brake.flush();
  }

  /** What comes from now on is thrown away. */
  ignore(): void {
    this.#phase = 'closing';
  }

  /** Answers CONNECT with a return code and closes. */
  refuse(code: RefusalCode): void {
    this.#phase = 'closing';
    this.socket.end(connackPacket(code));
    this.#destroySoon();
  }

  /** Ends in good order: what was written still arrives. */
  end(): void {
    this.#phase = 'closing';
    this.socket.end();
    this.#destroySoon();
  }

  #pull(): Buffer | null {
    switch (this.#phase) {
      case 'connect':
        return this.#nextConnect();
      case 'login':
        return null;
      case 'open':
        return this.#nextChunk();
      case 'closing':
        while (this.#read() !== null);
        return null;
    }
  }

  #nextConnect(): Buffer | null {
    const chunk = this.#read();
    if (chunk === null) return null;
    const bytes = this.#held.takeWith(chunk);
    const verdict = inspectConnect(bytes, this.#options.maxConnectBytes);
    switch (verdict.kind) {
      case 'incomplete':
        this.#held.add(bytes);
        return null;
      case 'complete':
        this.#behindConnect = bytes.subarray(verdict.end);
        this.#phase = 'login';
        return bytes.subarray(0, verdict.end);
      case 'fault':
        return this.#fail({ kind: verdict.fault });
      case 'unsupported_version':
        this.#options.onFault(verdict);
        this.refuse(REFUSED.version);
        return null;
    }
  }

  #nextChunk(): Buffer | null {
    if (this.socket.writableNeedDrain) {
      this.#freeze();
      return null;
    }
    const chunk = this.#fresh();
    if (chunk === null) return null;
    const fault = this.#guard.check(chunk);
    if (fault !== null) return this.#fail({ kind: fault });
    const { completeEnd } = this.#guard;
    const whole = completeEnd === 0 ? null : this.#held.takeWith(chunk.subarray(0, completeEnd));
    if (completeEnd < chunk.length) this.#held.add(chunk.subarray(completeEnd));
    return whole;
  }

  /** Always reads, else the socket would never again say that there is something. */
  #fresh(): Buffer | null {
    const chunk = this.#read();
    const behind = this.#behindConnect;
    this.#behindConnect = null;
    if (behind === null || chunk === null) return behind ?? chunk;
    return Buffer.concat([behind, chunk]);
  }

  #broke(kind: WebSocketFault): void {
    if (this.#phase === 'closing') this.socket.destroy();
    else this.#fail({ kind });
  }

  /** What a WebSocket holds back until a message is complete counts like what is held here. */
  #partial(bytes: number): void {
    if (this.#phase !== 'connect' || bytes <= this.#options.maxConnectBytes + FRAMING_BYTES) return;
    this.#fail({ kind: 'packet_too_large' });
  }

  #freeze(): void {
    this.#frozenTimer ??= setTimeout(() => this.#fail({ kind: 'does_not_read' }), this.#options.drainTimeoutMs);
  }

  #thaw(): void {
    if (this.#frozenTimer === undefined) return;
    clearTimeout(this.#frozenTimer);
    this.#frozenTimer = undefined;
    this.socket.emit('readable');
  }

  #fail(fault: ConnectionFault): null {
    this.#phase = 'closing';
    this.#options.onFault(fault);
    this.socket.destroy();
    return null;
  }

  #destroySoon(): void {
    const timer = setTimeout(() => this.socket.destroy(), LAST_WORD_MS);
    this.socket.once('close', () => clearTimeout(timer));
  }
}
