import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { codeOf } from '../../core/errors.ts';

/** `not_binary`: a text message · `malformed_frame`: no WebSocket, or one in too many pieces. */
export type WebSocketFault = 'packet_too_large' | 'malformed_frame' | 'not_binary';

const CLOSE_NORMAL = 1000;

/**
 * MQTT's bytes in the binary messages of a WebSocket; where messages begin and end means nothing [MQTT-6.0.0-2].
 * Emits `fault` with what breaks the rules, and `partial` with the bytes of a message that is not complete yet.
 */
export class WebSocketStream extends Duplex {
  readonly #webSocket: WebSocket;
  #partialBytes = 0;
  #completed = false;

  /** `socket`: what carries the WebSocket. */
  constructor(webSocket: WebSocket, socket: Socket) {
    super({ allowHalfOpen: false });
    this.#webSocket = webSocket;
    webSocket.on('message', (data, isBinary) => this.#message(data, isBinary));
    webSocket.on('error', (error) => this.emit('fault', faultOf(error)));
    webSocket.once('close', () => this.push(null));
    // Behind the listener of ws, which has taken the chunk already.
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk.length));
  }

  override _read(): void {
    this.#webSocket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#webSocket.send(chunk, done);
  }

  override _writev(pieces: readonly { readonly chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#webSocket.send(Buffer.concat(pieces.map(({ chunk }) => chunk)), done);
  }

  override _final(done: () => void): void {
    this.#webSocket.close(CLOSE_NORMAL);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#webSocket.terminate();
    done(error);
  }

  #message(data: RawData, isBinary: boolean): void {
    this.#completed = true;
    // [MQTT-6.0.0-1]
    if (!isBinary) this.emit('fault', 'not_binary' satisfies WebSocketFault);
    else if (!this.push(data)) this.#webSocket.pause();
  }

  #arrived(bytes: number): void {
    this.#partialBytes = this.#completed ? 0 : this.#partialBytes + bytes;
    this.#completed = false;
    if (this.#partialBytes > 0) this.emit('partial', this.#partialBytes);
  }
}

function faultOf(error: Error): WebSocketFault {
  return codeOf(error) === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 'packet_too_large' : 'malformed_frame';
}
