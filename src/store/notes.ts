import type Database from 'better-sqlite3';

/** Names of what `state.db` says in `meta` beside its seqs. What is known of the log stands here, where damage to that does not reach. */
export const STATE_NOTES = {
  gatewayId: 'gateway_id',
  /** Only where the system has none. */
  machineId: 'machine_id',
  /** No seq above it was ever given out. */
  seqReserved: 'seq_reserved',
  /** Of the good copy: grows with each. */
  generation: 'generation',
  logEpoch: 'log_epoch',
  /** JSON: the first page of each stream's table. */
  logRoots: 'log_roots',
  /** The newest seq in the log when it was looked at last. */
  logNewest: 'log_newest',
  /** The first seq of the life that has the log open, or had it and did not close it. */
  logOpen: 'log_open',
  /** The write-ahead log of that life may be carried over, by its stop or by a start that came to no end: that it is gone says nothing. */
  logCarriedOver: 'log_carried_over',
  /** Its write-ahead log showed that something is missing, which opening it hides: up to which seq that may be. */
  logLostCommits: 'log_lost_commits',
  /** `begun`: a damaged log is being set aside, or is, and nothing of it was taken over yet. */
  logSalvage: 'log_salvage',
  /** As `logRoots`, of the log that is put back. */
  salvageRoots: 'log_salvage_roots',
} as const;

/** Names of what `log.db` says in `meta`. */
export const LOG_NOTES = {
  epoch: 'epoch',
  machineId: 'machine_id',
  /** Not all is put back of a damaged log: JSON of what that counted last of each stream. */
  salvage: 'salvage',
  /** Of the damaged log that is put back nobody knows how much more there was than is counted. */
  uncounted: 'uncounted_loss',
  /** When all was put back of a damaged log: the last seqs that were counted, whose records may be lost. JSON. */
  salvagedEnds: 'salvaged_ends',
  /** Of the last copy of `state.db`: one that is behind lacks what was written last. */
  stateGeneration: 'state_generation',
  /** A log was lost with its positions, and no seq of it is higher than this one. */
  lostUpTo: 'positions_lost_up_to',
  /** Every lane was told that records up to this one may be lost, or is told when it is opened. */
  toldUpTo: 'losses_told_up_to',
} as const;

/** What a file of the store notes under a name. */
export function notedIn(db: Database.Database, name: string): string | undefined {
  return db.prepare<[string], string>('SELECT value FROM meta WHERE name = ?').pluck().get(name);
}
