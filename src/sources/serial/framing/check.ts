import { Buffer } from 'node:buffer';
import { CHECKSUM_BYTES, type ChecksumType } from '../../../core/checksum-type.ts';
import { CHECKSUMS, type Checksum } from './checksums.ts';

export interface CheckOptions {
  readonly type: ChecksumType;
  /** Where it stands, before or behind the bytes that it covers. */
  readonly place: 'end' | 'start';
  readonly order: 'big' | 'little';
  /** `hex`: two digits for each byte, upper case when written, either when read. */
  readonly form: 'binary' | 'hex';
}

/** A checksum that stands beside the bytes that it covers. */
export class Check {
  readonly #options: CheckOptions;
  readonly checksum: Checksum;
  /** On the line. */
  readonly byteCount: number;

  constructor(options: CheckOptions) {
    this.#options = options;
    this.checksum = CHECKSUMS[options.type];
    this.byteCount = CHECKSUM_BYTES[options.type] * (options.form === 'hex' ? 2 : 1);
  }

  /** The bytes that it covers; undefined when it does not fit them. `sum`: of those, which begin so many bytes behind the first one. */
  strip(bytes: Buffer, sum: (covered: Buffer, from: number) => number = this.checksum.sum): Buffer | undefined {
    if (bytes.length < this.byteCount) return undefined;
    const isAtEnd = this.#options.place === 'end';
    const border = isAtEnd ? bytes.length - this.byteCount : this.byteCount;
    const covered = isAtEnd ? bytes.subarray(0, border) : bytes.subarray(border);
    const written = isAtEnd ? bytes.subarray(border) : bytes.subarray(0, border);
    return this.#read(written) === sum(covered, isAtEnd ? 0 : border) ? covered : undefined;
  }

  append(covered: Buffer): Buffer {
    const written = this.#write(this.checksum.sum(covered));
    return Buffer.concat(this.#options.place === 'end' ? [covered, written] : [written, covered]);
  }

  #read(written: Buffer): number | undefined {
    const { form, order } = this.#options;
    const text = form === 'hex' ? written.toString('latin1') : '';
    if (form === 'hex' && !/^[\da-f]+$/i.test(text)) return undefined;
    const bytes = form === 'hex' ? Buffer.from(text, 'hex') : written;
    return order === 'big' ? bytes.readUIntBE(0, bytes.length) : bytes.readUIntLE(0, bytes.length);
  }

  #write(sum: number): Buffer {
    const { type, form, order } = this.#options;
    const byteCount = CHECKSUM_BYTES[type];
    const bytes = Buffer.alloc(byteCount);
    if (order === 'big') bytes.writeUIntBE(sum, 0, byteCount);
    else bytes.writeUIntLE(sum, 0, byteCount);
    return form === 'hex' ? Buffer.from(bytes.toString('hex').toUpperCase(), 'latin1') : bytes;
  }
}
