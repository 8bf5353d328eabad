import type { Admin } from 'kafkajs';
import type { Kafka } from '../support/kafka.ts';
import { waitFor } from '../support/wait-for.ts';

/** Counts the records of one topic by its offsets, over one connection, so that asking often costs little. */
export class TopicCount {
  readonly #admin: Admin;
  readonly #topic: string;

  private constructor(admin: Admin, topic: string) {
    this.#admin = admin;
    this.#topic = topic;
  }

  /** Valid while `use` runs. */
  static within<T>(kafka: Kafka, topic: string, use: (count: TopicCount) => Promise<T>): Promise<T> {
    return kafka.admin((admin) => use(new TopicCount(admin, topic)));
  }

  async now(): Promise<number> {
    const offsets = await this.#admin.fetchTopicOffsets(this.#topic);
    return offsets.reduce((sum, { high }) => sum + Number(high), 0);
  }

  /** Resolves with the count once it is at least `wanted`. */
  reaches(wanted: number, timeoutMs: number): Promise<number> {
    const probe = async (): Promise<number | false> => {
      const count = await this.now();
      return count >= wanted && count;
    };
    return waitFor(probe, { what: `${wanted} records in ${this.#topic}`, timeoutMs, everyMs: 5 });
  }
}
