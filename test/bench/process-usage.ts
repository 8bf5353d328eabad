import { readFileSync } from 'node:fs';

const SAMPLE_MS = 100;
/** Linux counts CPU time in ticks of 10 ms. */
const TICKS_PER_S = 100;

export interface Usage {
  /** Largest sample, all processes together. */
  readonly peakRssMb: number;
  readonly medianRssMb: number;
  readonly cpuS: number;
}

/** Empty of a process that is gone: it takes nothing any more. */
function procFile(pid: number, name: 'stat' | 'status'): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

function rssMb(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(procFile(pid, 'status'))?.[1] ?? '0';
  return (Number(kilobytes) * 1024) / 1e6;
}

function cpuS(pid: number): number {
  const fields = procFile(pid, 'stat')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_S;
}

/** Watches processes from now on: resident memory in MB (10⁶ bytes) every tenth of a second, and CPU time. */
export class UsageWatch {
  readonly #pids: readonly number[];
  readonly #samples: number[] = [];
  readonly #cpuBefore: number;
  readonly #timer: NodeJS.Timeout;

  constructor(pids: readonly number[]) {
    this.#pids = pids;
    this.#cpuBefore = this.#cpu();
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS).unref();
  }

  stop(): Usage {
    clearInterval(this.#timer);
    this.#sample();
    const sorted = this.#samples.toSorted((a, b) => a - b);
    return {
      peakRssMb: Math.round(sorted.at(-1) ?? 0),
      medianRssMb: Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0),
      cpuS: Math.round((this.#cpu() - this.#cpuBefore) * 100) / 100,
    };
  }

  #sample(): void {
    this.#samples.push(this.#pids.reduce((sum, pid) => sum + rssMb(pid), 0));
  }

  #cpu(): number {
    return this.#pids.reduce((sum, pid) => sum + cpuS(pid), 0);
  }
}
