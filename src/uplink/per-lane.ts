import type { LaneId } from '../core/lane-log.ts';
import type { Stream } from '../core/stream.ts';

/** Unique among what one uplink feeds. */
function nameOf({ stream, range }: Pick<LaneId, 'stream' | 'range'>): string {
  return range === undefined ? stream : `${stream} ${range.kind} ${range.id}`;
}

/** What an upstream keeps for each lane, and for each range from when it is first fed until it is finished. */
export class PerLane<T> {
  readonly #streams: readonly Stream[];
  readonly #make: (lane: Pick<LaneId, 'stream' | 'range'>) => T;
  readonly #kept = new Map<string, T>();

  constructor(streams: readonly Stream[], make: (lane: Pick<LaneId, 'stream' | 'range'>) => T) {
    this.#streams = streams;
    this.#make = make;
    for (const stream of streams) this.#kept.set(nameOf({ stream }), make({ stream }));
  }

  /** Undefined for a stream that the uplink does not carry. */
  get(lane: LaneId): T | undefined {
    const name = nameOf(lane);
    const known = this.#kept.get(name);
    if (known !== undefined || !this.#streams.includes(lane.stream)) return known;
    const made = this.#make(lane);
    this.#kept.set(name, made);
    return made;
  }

  /** Of the lanes themselves, in the order of the streams. */
  own(): T[] {
    return this.#streams.flatMap((stream) => this.#kept.get(nameOf({ stream })) ?? []);
  }

  finish(lane: LaneId): void {
    if (lane.range !== undefined) this.#kept.delete(nameOf(lane));
  }
}
