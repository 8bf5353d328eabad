import { Buffer } from 'node:buffer';
import type { FrameDecoder, FrameSink, Framing } from './framing.ts';
import type { OptionsOf } from './options.ts';
import { Splitter } from './splitter.ts';

const LINE_FEED = Buffer.from('\n');
/** What stands before the sentence: `$`, or `!` when it is encapsulated. */
const SENTENCE = /^[$!]([^$!*\r\n]*)\*([\dA-Fa-f]{2})\r?$/;
const START = /[$!](?=[^$!]*$)/;

/** Sentences of NMEA 0183: `$…*hh`, with the exclusive or of what stands between as a checksum, which each must have. */
export function nmea0183({ maxFrameBytes }: OptionsOf<'nmea0183'>): Framing {
  return {
    gapMs: undefined,
    decoder: (sink: FrameSink): FrameDecoder =>
      new Splitter({ delimiter: LINE_FEED, maxBytes: maxFrameBytes - 1, piece: open }, sink),
    encode: close,
  };
}

/** What stands before the last beginning of a sentence is a sentence that was cut off. */
function open(piece: Buffer, sink: FrameSink): void {
  const text = piece.toString('latin1');
  const start = text.search(START);
  if (start > 0) sink.bad('malformed', piece.subarray(0, start));
  const sentence = SENTENCE.exec(text.slice(Math.max(0, start)));
  const [, body = '', digits = ''] = sentence ?? [];
  if (sentence === null) sink.bad('malformed', piece.subarray(Math.max(0, start)));
  else if (checksum(body) !== Number.parseInt(digits, 16)) sink.bad('checksum', piece.subarray(start));
  else if (body === '') sink.bad('noise', piece.subarray(start));
  else sink.good(Buffer.from(body, 'latin1'));
}

function close(payload: Buffer): Buffer {
  const body = payload.toString('latin1');
  const digits = checksum(body).toString(16).toUpperCase().padStart(2, '0');
  return Buffer.from(`$${body}*${digits}\r\n`, 'latin1');
}

function checksum(body: string): number {
  return Buffer.from(body, 'latin1').reduce((sum, byte) => sum ^ byte, 0);
}
