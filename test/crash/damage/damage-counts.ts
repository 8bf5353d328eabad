import { judgeLosses, type Losses, type LossVerdict } from './judge-losses.ts';
import type { Wreck } from './wreck.ts';

const MAX_UP_MS = 10_000;
/** On a machine that is busy with something else: so many times what a start of a whole store takes there. */
const MAX_SLOWER = 10;

export interface DamageFigures {
  /** How often each kind was met; `two_at_once`: how often there were two. */
  readonly byWreck: Readonly<Record<string, number>>;
  /** Starts beyond the first: damage that was found while the store ran. */
  readonly restarts: number;
  /** Records that arrived and are not what their sender sent. */
  readonly wrongCount: number;
  /** Promised, not delivered before, and not delivered after. */
  readonly lostCount: number;
  /** Of these: set aside, or in a gap. */
  readonly toldCount: number;
  /** Of these: nobody can know of them; see `judge-losses.ts`. */
  readonly hiddenCount: number;
  /** Whose only copy was damaged as well; all others are a problem. */
  readonly devicesLost: number;
  /** What a start of a whole store takes. */
  readonly ordinaryUpMs: number;
  readonly upMsMedian: number;
  readonly upMsMax: number;
  readonly problems: readonly string[];
}

/** What a run of damages comes to, whatever the stores are under. */
export class DamageCounts {
  readonly #byWreck: Record<string, number> = {};
  readonly #upMs: number[] = [];
  readonly #problems: string[] = [];
  readonly #sums = { wrongCount: 0, lostCount: 0, toldCount: 0, hiddenCount: 0, devicesLost: 0 };
  #ordinaryMs = 0;
  restarts = 0;

  get problemCount(): number {
    return this.#problems.length;
  }

  get figures(): DamageFigures {
    const ups = this.#upMs.toSorted((a, b) => a - b).map(Math.round);
    const up = {
      ordinaryUpMs: Math.round(this.#ordinaryMs),
      upMsMedian: ups[Math.floor(ups.length / 2)] ?? 0,
      upMsMax: ups.at(-1) ?? 0,
    };
    return { byWreck: this.#byWreck, restarts: this.restarts, ...this.#sums, ...up, problems: this.#problems };
  }

  met(wrecks: readonly Wreck[]): void {
    const names = [...wrecks.map(({ kind, file }) => `${kind} ${file}`), ...(wrecks.length > 1 ? ['two_at_once'] : [])];
    for (const name of names) this.#byWreck[name] = (this.#byWreck[name] ?? 0) + 1;
  }

  problem(where: string, ...problems: readonly string[]): void {
    this.#problems.push(...problems.map((problem) => `${where}: ${problem}`));
  }

  /** How long a start of a whole store takes on this machine. */
  ordinaryUp(ms: number): void {
    this.#ordinaryMs = ms;
  }

  /** From the first start on until it was up to stay, whatever else the machine did. */
  up(where: string, ms: number): void {
    this.#upMs.push(ms);
    if (ms > Math.max(MAX_UP_MS, MAX_SLOWER * this.#ordinaryMs)) this.problem(where, `up after ${Math.round(ms)} ms`);
  }

  wrong(where: string, count: number, example = ''): void {
    this.#sums.wrongCount += count;
    if (count > 0) this.problem(where, `${count} wrong payloads ${example}`.trimEnd());
  }

  /** `mayBe`: without their only copy. */
  lostDevices(where: string, count: number, { mayBe }: { readonly mayBe: boolean }): void {
    this.#sums.devicesLost += count;
    if (count > 0 && !mayBe) this.problem(where, `${count} devices cannot log in any more`);
  }

  judge(where: string, losses: Losses): LossVerdict {
    const verdict = judgeLosses(losses);
    this.#sums.lostCount += verdict.lostCount;
    this.#sums.toldCount += verdict.toldCount;
    this.#sums.hiddenCount += verdict.hiddenCount;
    this.problem(where, ...verdict.problems);
    return verdict;
  }
}
