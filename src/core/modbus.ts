/** What can be read from a Modbus device, in the words of the configuration. */

/** Addresses of single devices on a line [MODBUS over Serial Line V1.02, 2.2]. */
export const MAX_UNITS = 247;

interface TableKind {
  /** Of the request that reads it [MODBUS Application Protocol V1.1b3, 6.1 to 6.4]. */
  readonly functionCode: 1 | 2 | 3 | 4;
  /** Each address is true or false, instead of a register of 16 bits. */
  readonly isBits: boolean;
  /** Addresses that one request may read. */
  readonly maxCount: number;
}

/** Of the four that a device may have, each with addresses of its own. */
export type Table = 'input' | 'holding' | 'coil' | 'discrete';

export const TABLES: Readonly<Record<Table, TableKind>> = {
  input: { functionCode: 4, isBits: false, maxCount: 125 },
  holding: { functionCode: 3, isBits: false, maxCount: 125 },
  coil: { functionCode: 1, isBits: true, maxCount: 2_000 },
  discrete: { functionCode: 2, isBits: true, maxCount: 2_000 },
};

export type ValueType = 'uint16' | 'int16' | 'uint32' | 'int32' | 'uint64' | 'int64' | 'float32' | 'float64';

/** Registers that a value takes. */
export const VALUE_TYPES: Readonly<Record<ValueType, 1 | 2 | 4>> = {
  uint16: 1,
  int16: 1,
  uint32: 2,
  int32: 2,
  uint64: 4,
  int64: 4,
  float32: 2,
  float64: 4,
};
