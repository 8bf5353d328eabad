import { isUtf8 } from 'node:buffer';
import type { Format } from '../../core/format.ts';
import { decodeCbor } from './cbor.ts';
import { decodeCsv } from './csv.ts';
import { decodeJson } from './json.ts';
import { decodeKeyValue } from './key-value.ts';
import { decodeRaw } from './raw.ts';
import type { Decode, Decoded, DecodeOptions } from './reading.ts';
import { decodeRegex } from './regex.ts';
import { decodeSenml } from './senml.ts';
import { decodeStruct } from './struct.ts';
import { decodeText } from './text.ts';

const DECODERS: Readonly<Record<Format, Decode>> = {
  json: ofText(decodeJson),
  text: ofText(decodeText),
  csv: ofText(decodeCsv),
  'key=value': ofText(decodeKeyValue),
  regex: ofText(decodeRegex),
  cbor: decodeCbor,
  struct: decodeStruct,
  senml: decodeSenml,
  raw: decodeRaw,
};

/** The readings of a telemetry payload in that format. */
export function decodeFormat(format: Format, payload: Buffer, options: DecodeOptions): Decoded {
  return DECODERS[format](payload, options);
}

function ofText(decode: Decode): Decode {
  return (payload, options) => (isUtf8(payload) ? decode(payload, options) : { refused: 'not_utf8' });
}
