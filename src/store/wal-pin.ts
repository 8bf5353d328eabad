import Database from 'better-sqlite3';

/**
 * A connection that is only there. When a process ends, Node.js ends its threads first, and that closes their connections;
 * the last one to be closed carries the write-ahead log over and removes it, as at a stop in good order. The next start
 * would take the missing one for lost. The connections of the main thread are never closed so: while it holds this one,
 * a life that did not end in good order leaves its write-ahead log.
 */
export class WalPin {
  readonly #db: Database.Database;

  private constructor(db: Database.Database) {
    this.#db = db;
  }

  /** Of a file that is open for writing. */
  static hold(file: string): WalPin {
    const db = new Database(file, { readonly: true, fileMustExist: true });
    // It shares the write-ahead log from its first look at the file on.
    db.pragma('user_version');
    return new WalPin(db);
  }

  release(): void {
    this.#db.close();
  }
}
