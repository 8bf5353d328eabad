import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type ServerOptions, WebSocketServer } from 'ws';
import { printable } from '../../core/printable.ts';
import { addressOf } from './doorway.ts';
import { isAllowedOrigin, type OriginRule } from './origin.ts';
import type { Problems, UpgradeRefusal } from './problems.ts';
import { WebSocketStream } from './websocket-stream.ts';

export interface WebSocketLayerOptions {
  readonly origins: OriginRule;
  /** The listener's option, for messages. */
  readonly usedBy: string;
  readonly maxPacketBytes: number;
  readonly problems: Problems;
  /** `socket`: what carries the WebSocket, as it was given to `upgrade`. */
  readonly onOpen: (stream: WebSocketStream, socket: Socket) => void;
}

const PATH = '/mqtt';
/** The second one is what clients of MQTT 3.1 say. */
const PROTOCOLS = ['mqtt', 'mqttv3.1'];
const MAX_HEADER_BYTES = 8 * 1024;
/** One message may carry several packets. */
const MESSAGE_ROOM_BYTES = 256 * 1024;
/** Smaller pieces on average are not taken: each costs more than what it holds. */
const MIN_PIECE_BYTES = 64;

/** WebSocket upon sockets that were accepted elsewhere [MQTT 3.1.1, 6]. */
export class WebSocketLayer {
  readonly #options: WebSocketLayerOptions;
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;

  constructor(options: WebSocketLayerOptions) {
    this.#options = options;
    this.#webSockets = new WebSocketServer(serverOptions(options.maxPacketBytes));
    this.#http = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (_, response) => {
      response.writeHead(426, { connection: 'close, upgrade', upgrade: 'websocket', 'content-type': 'text/plain' });
      response.end(`MQTT over WebSocket, at ${PATH}\n`);
    });
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head));
  }

  upgrade(socket: Socket): void {
    this.#http.emit('connection', socket);
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const refusal = this.#judge(request);
    if (refusal !== undefined) {
      this.#options.problems.upgradeRefused(addressOf(socket), refusal);
      refuse(socket, refusal);
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#options.onOpen(new WebSocketStream(webSocket, socket), socket);
    });
  }

  #judge({ url, headers }: IncomingMessage): UpgradeRefusal | undefined {
    const { origins, usedBy } = this.#options;
    if (!isAllowedOrigin({ origin: headers.origin, host: headers.host }, origins)) {
      const reason = `a page of ${printable(headers.origin ?? '')} may not connect`;
      return { status: 403, reason, hint: `if it is yours, add its origin to ${usedBy}.allowedOrigins` };
    }
    if (url?.split('?')[0] !== PATH) {
      return { status: 404, reason: `nothing is at ${printable(url ?? '')}`, hint: `set the client's path to ${PATH}` };
    }
    if (protocolOf(offered(headers['sec-websocket-protocol'])) === undefined) {
      return { status: 400, reason: 'no subprotocol mqtt is offered', hint: "set the client's subprotocol to mqtt" };
    }
    return undefined;
  }
}

function offered(header: string | undefined): ReadonlySet<string> {
  return new Set(header?.split(',').map((name) => name.trim()));
}

function protocolOf(names: ReadonlySet<string>): string | undefined {
  return PROTOCOLS.find((name) => names.has(name));
}

function serverOptions(maxPacketBytes: number): ServerOptions {
  const maxPayload = maxPacketBytes + MESSAGE_ROOM_BYTES;
  const maxPieces = Math.ceil(maxPayload / MIN_PIECE_BYTES);
  return {
    noServer: true,
    clientTracking: false,
    maxPayload,
    maxFragments: maxPieces,
    maxBufferedChunks: maxPieces,
    handleProtocols: (names) => protocolOf(names) ?? false,
  };
}

function refuse(socket: Socket, { status, reason, hint }: UpgradeRefusal): void {
  const body = `${reason}: ${hint}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.on('error', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
