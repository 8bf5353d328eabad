import type { Buffer } from 'node:buffer';
import type { CommandOptions } from './commands/options.ts';
import type { FramingOptions } from './framing/options.ts';
import type { ModbusOptions } from './modbus/options.ts';

/** How a line is set. */
export interface LineSettings {
  /** Bits per second. */
  readonly baudRate: number;
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly stopBits: 1 | 2;
  readonly parity: 'none' | 'even' | 'odd';
  readonly flowControl: 'none' | 'hardware' | 'software';
}

/** The bytes of an answer to the device. `frame`: the number of the frame that is answered; empty when nobody knows it. */
export type AnswerTemplate = (frame: string) => Buffer;

/** One port as it is configured, or several that a pattern stands for; durations in milliseconds. */
export interface PortOptions {
  /** Stands for the port everywhere: in logs, metrics, the API, in the channel of its records. */
  readonly name: string;
  /** Of the device node, or of a link to it. A `*` in its last part makes it a pattern. */
  readonly path: string;
  readonly line: LineSettings;
  /** No other program that locks it may open the port while it is open here; one that does not still can. */
  readonly lock: boolean;
  readonly framing: FramingOptions;
  /** Its devices speak only when they are asked; `framing` is for others. */
  readonly modbus?: ModbusOptions | undefined;
  /** A port that says nothing for so long is closed and opened again; 0: it may be silent. */
  readonly silenceTimeout: number;
  /** Written when a frame is stored. */
  readonly ack?: AnswerTemplate | undefined;
  /** Written when a frame is bad, or refused. */
  readonly nack?: AnswerTemplate | undefined;
  /** Frames, the latest, among which a repeated one is recognised; undefined: frames have no numbers. */
  readonly frameWindow?: number | undefined;
  /** What its devices can be asked to do. */
  readonly commands: readonly CommandOptions[];
  /** Commands wait for so long when the port was opened, unless its device says something before. */
  readonly readyAfterMs: number;
  /** What frames may take that wait for the store. */
  readonly maxWaitingBytes: number;
}
