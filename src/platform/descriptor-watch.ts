import { readdirSync, readFileSync } from 'node:fs';
import { codeOf } from '../core/errors.ts';
import type { Logger } from './logger.ts';

const LOOK_MS = 1_000;
/** Of the limit: said above the first, taken back below the second. */
const SCARCE = 0.9;
const ENOUGH = 0.8;

/** How many descriptors this process has open, and may have. */
export interface DescriptorCount {
  readonly open: number;
  readonly limit: number;
}

export interface DescriptorWatchOptions {
  readonly logger: Logger;
  /** Throws `EMFILE` when not even the look has one left. */
  readonly count?: () => DescriptorCount;
}

/**
 * Says when the process runs out of descriptors. Nobody else does: connections that come then are closed by the kernel
 * side of Node.js without a word.
 */
export class DescriptorWatch {
  readonly #logger: Logger;
  readonly #count: () => DescriptorCount;
  #timer: NodeJS.Timeout | undefined;
  #isScarce = false;

  constructor({ logger, count = countDescriptors }: DescriptorWatchOptions) {
    this.#logger = logger;
    this.#count = count;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const share = this.#share();
    if (share === undefined) return;
    const wasScarce = this.#isScarce;
    this.#isScarce = share > (wasScarce ? ENOUGH : SCARCE);
    if (this.#isScarce && !wasScarce) {
      const hint = 'raise the limit of open files (LimitNOFILE= of the service), or lower mqtt.maxClients';
      this.#logger.error(
        { usedPercent: Math.round(share * 100), hint },
        'too many files are open: connections are lost',
      );
    }
    if (wasScarce && !this.#isScarce) this.#logger.info({}, 'there are enough file descriptors again');
  }

  /** undefined where the system does not say. */
  #share(): number | undefined {
    try {
      const { open, limit } = this.#count();
      return open / limit;
    } catch (error) {
      return codeOf(error) === 'EMFILE' ? 1 : undefined;
    }
  }
}

function countDescriptors(): DescriptorCount {
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return { open: readdirSync('/proc/self/fd').length, limit: Number(limit ?? Number.POSITIVE_INFINITY) };
}
