import type { KafkaCluster } from '../../support/kafka-cluster.ts';
import type { SeededRandom } from '../../support/random.ts';

/** Who leads the partitions of some topics, and how that is changed; one broker at most is away at a time. */
export class Leaders {
  readonly #cluster: KafkaCluster;
  readonly #topics: readonly string[];
  #away: number | undefined;

  constructor(cluster: KafkaCluster, topics: readonly string[]) {
    this.#cluster = cluster;
    this.#topics = topics;
  }

  /** The broker that leads the most partitions. */
  async first(): Promise<number> {
    const [[id] = [0]] = [...(await this.#counts())].sort(([, some], [, others]) => others - some);
    return id;
  }

  /** A broker that leads any. */
  async any(random: SeededRandom): Promise<number> {
    const leading = [...(await this.#counts())].filter(([, count]) => count > 0).map(([id]) => id);
    return leading[random.between(0, leading.length - 1)] ?? 0;
  }

  /** Resolves when others lead what it led. */
  async takeAway(id: number, how: 'killed' | 'stopped'): Promise<void> {
    this.#away = id;
    await (how === 'killed' ? this.#cluster.kill(id) : this.#cluster.shutDown(id));
    await this.#cluster.untilLed(this.#topics);
  }

  /** Resolves when leaders were chosen among brokers that all run. False when none had to move. */
  async elect(): Promise<boolean> {
    const before = await this.#counts();
    await this.#cluster.electPreferred();
    await this.#cluster.untilLed(this.#topics);
    const after = await this.#counts();
    return [...before].some(([id, count]) => after.get(id) !== count);
  }

  /** The broker that is away comes back, and catches up. */
  async heal(): Promise<void> {
    const away = this.#away;
    this.#away = undefined;
    if (away !== undefined) await this.#cluster.start(away);
    await this.#cluster.untilInSync(this.#topics);
  }

  #counts(): Promise<ReadonlyMap<number, number>> {
    return this.#cluster.leaders(this.#topics);
  }
}
