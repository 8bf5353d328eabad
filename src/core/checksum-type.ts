/** Checksums of frames on serial lines, and how many bytes they have. */
export const CHECKSUM_BYTES = { crc8: 1, 'crc16-modbus': 2, 'crc16-ccitt': 2, crc32: 4, xor: 1, sum8: 1 } as const;
export type ChecksumType = keyof typeof CHECKSUM_BYTES;
export const CHECKSUM_TYPES = Object.keys(CHECKSUM_BYTES) as [ChecksumType];
