import type { LineSettings } from './options.ts';

/** What so many bytes take on the line: start bit, data, parity, stop bits. Milliseconds. */
export function lineMs({ baudRate, dataBits, parity, stopBits }: LineSettings, byteCount: number): number {
  const bits = 1 + dataBits + (parity === 'none' ? 0 : 1) + stopBits;
  return (byteCount * bits * 1_000) / baudRate;
}
