import { crc32 as zlibCrc32 } from 'node:zlib';
import type { ChecksumType } from '../../../core/checksum-type.ts';
import { Zeros } from './zeros.ts';

/** A checksum, of bytes at once or from the states before and behind them. */
export interface Checksum {
  sum(bytes: Uint8Array): number;
  /** The state before the first byte. */
  readonly from: number;
  /** The state with one byte more. */
  step(state: number, byte: number): number;
  /** Of so many bytes between two states. */
  between(before: number, behind: number, byteCount: number): number;
}

export const CHECKSUMS: Readonly<Record<ChecksumType, Checksum>> = {
  /** CRC-8/SMBUS: polynomial 0x07, from 0. */
  crc8: forwardCrc({ polynomial: 0x07, width: 8, from: 0 }),
  /** CRC-16/MODBUS: polynomial 0x8005 reflected, from 0xffff [MODBUS over Serial Line V1.02, 6.2.2]. */
  'crc16-modbus': reflectedCrc({ polynomial: 0xa001, from: 0xffff, final: 0 }),
  /** CRC-16/CCITT-FALSE, as most sketches compute it: polynomial 0x1021, from 0xffff. */
  'crc16-ccitt': forwardCrc({ polynomial: 0x1021, width: 16, from: 0xffff }),
  /** CRC-32/ISO-HDLC: of Ethernet and zip. */
  crc32: {
    ...reflectedCrc({ polynomial: 0xedb88320, from: 0xffffffff, final: 0xffffffff }),
    sum: (bytes) => zlibCrc32(bytes),
  },
  xor: { sum: xor, from: 0, step: (state, byte) => state ^ byte, between: (before, behind) => before ^ behind },
  sum8: {
    sum: sum8,
    from: 0,
    step: (state, byte) => (state + byte) & 0xff,
    between: (before, behind) => (behind - before) & 0xff,
  },
};

// By index: an iterator takes several times as long.
function xor(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 1) sum ^= bytes[at] ?? 0;
  return sum;
}

function sum8(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 1) sum += bytes[at] ?? 0;
  return sum & 0xff;
}

interface Forward {
  readonly polynomial: number;
  readonly width: 8 | 16;
  readonly from: number;
}

/** The highest bit first. */
function forwardCrc({ polynomial, width, from }: Forward): Checksum {
  const mask = 2 ** width - 1;
  const top = 2 ** (width - 1);
  const table = tableOf((byte) => {
    let sum = byte << (width - 8);
    for (let bit = 0; bit < 8; bit += 1) sum = (sum & top) === 0 ? sum << 1 : (sum << 1) ^ polynomial;
    return sum & mask;
  });
  const step = (state: number, byte: number): number =>
    ((state << 8) & mask) ^ (table[((state >>> (width - 8)) ^ byte) & 0xff] ?? 0);
  // A call for each byte takes twice as long.
  const sum = (bytes: Uint8Array): number => {
    let state = from;
    for (let at = 0; at < bytes.length; at += 1) {
      state = ((state << 8) & mask) ^ (table[((state >>> (width - 8)) ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
    }
    return state;
  };
  return { sum, from, step, between: betweenStates({ from, step, final: 0 }) };
}

interface Reflected {
  readonly polynomial: number;
  readonly from: number;
  readonly final: number;
}

/** The lowest bit first. */
function reflectedCrc({ polynomial, from, final }: Reflected): Checksum {
  const table = tableOf((byte) => {
    let sum = byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum & 1) === 0 ? sum >>> 1 : (sum >>> 1) ^ polynomial;
    return sum;
  });
  const step = (state: number, byte: number): number => (state >>> 8) ^ (table[(state ^ byte) & 0xff] ?? 0);
  const sum = (bytes: Uint8Array): number => {
    let state = from;
    for (let at = 0; at < bytes.length; at += 1)
      state = (state >>> 8) ^ (table[(state ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
    return (state ^ final) >>> 0;
  };
  return { sum, from, step, between: betweenStates({ from, step, final }) };
}

function tableOf(entry: (byte: number) => number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => entry(byte));
}

/** Of a CRC, which is linear: what stood before the bytes is taken out as it would be behind as many zeros. */
function betweenStates({
  from,
  step,
  final,
}: Pick<Checksum, 'from' | 'step'> & { final: number }): Checksum['between'] {
  const zeros = new Zeros((state) => step(state, 0));
  return (before, behind, byteCount) => (behind ^ zeros.behind(before ^ from, byteCount) ^ final) >>> 0;
}
