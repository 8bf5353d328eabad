/** What is asked on the line [MODBUS Application Protocol V1.1b3, 6; MODBUS over Serial Line V1.02, 2.5.1]. */

import { Buffer } from 'node:buffer';
import { TABLES, type Table } from '../../../core/modbus.ts';
import { Check } from '../framing/check.ts';

export const CHECKSUM = new Check({ type: 'crc16-modbus', place: 'end', order: 'little', form: 'binary' });

/** [MODBUS Application Protocol V1.1b3, 6.5, 6.6, 6.11, 6.12] */
const WRITE_CODES = { coil: { single: 5, multiple: 15 }, holding: { single: 6, multiple: 16 } } as const;
const COIL_ON = 0xff;

/** What one request reads. */
export interface Span {
  readonly table: Table;
  readonly address: number;
  readonly count: number;
}

/** A request, and what its answer looks like, so that it is told from anything else on the line. */
export interface Request {
  /** As they stand on the line. */
  readonly bytes: Buffer;
  /** What an answer begins with, unless it is an exception. */
  readonly head: Buffer;
  /** Of an answer that is no exception, with its checksum. Bytes. */
  readonly answerLength: number;
}

/** Whether it has the form of its own answer, as one for the coils 768 to 787 has. */
export function looksLikeAnswer({ bytes, head, answerLength }: Request): boolean {
  return bytes.length === answerLength && bytes.subarray(0, head.length).equals(head);
}

/** What one request writes. */
export interface WriteSpan extends Span {
  readonly table: 'holding' | 'coil';
  /** Of registers their bytes; of coils eight to a byte, the first one lowest. */
  readonly data: Buffer;
}

/** The answer repeats what was asked, without the values of several. `isSingle`: in the form for one register. */
export function writeRequest(unitId: number, span: WriteSpan, isSingle: boolean): Request {
  const { table, address, count, data } = span;
  const code = WRITE_CODES[table][isSingle ? 'single' : 'multiple'];
  const single = table === 'coil' ? Buffer.from([(data[0] ?? 0) === 0 ? 0 : COIL_ON, 0]) : data;
  const head = Buffer.concat([
    Buffer.from([unitId, code, address >> 8, address & 0xff]),
    isSingle ? single : Buffer.from([count >> 8, count & 0xff]),
  ]);
  const asked = isSingle ? head : Buffer.concat([head, Buffer.from([data.length]), data]);
  return { bytes: CHECKSUM.append(asked), head, answerLength: head.length + CHECKSUM.byteCount };
}

export function readRequest(unitId: number, { table, address, count }: Span): Request {
  const { functionCode, isBits } = TABLES[table];
  const asked = Buffer.from([unitId, functionCode, address >> 8, address & 0xff, count >> 8, count & 0xff]);
  const byteCount = isBits ? Math.ceil(count / 8) : 2 * count;
  const head = Buffer.from([unitId, functionCode, byteCount]);
  return { bytes: CHECKSUM.append(asked), head, answerLength: head.length + byteCount + CHECKSUM.byteCount };
}
