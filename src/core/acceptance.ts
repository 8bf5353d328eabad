import type { BootTime, NewRecord } from './record.ts';

export interface AcceptanceClock {
  /** UTC milliseconds. */
  now(): number;
  /** How far a time taken now can be trusted. */
  quality(): 'synced' | 'unsynced';
  /** undefined where the system does not tell one boot from another. */
  bootTime(): BootTime | undefined;
}

/** What a record that is accepted now says of its time. */
export function acceptedNow(clock: AcceptanceClock): Pick<NewRecord, 'receivedAt' | 'timeQuality' | 'bootTime'> {
  // The quality first: a clock that is set in between then gives a true time that is not trusted, never a wrong one that is.
  const timeQuality = clock.quality();
  const bootTime = timeQuality === 'unsynced' ? clock.bootTime() : undefined;
  return { receivedAt: clock.now(), timeQuality, bootTime };
}
