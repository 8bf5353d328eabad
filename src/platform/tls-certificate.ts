import { type FSWatcher, realpathSync, statSync, unwatchFile, watch, watchFile } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from './logger.ts';
import { loadTls, readTls, type TlsFiles, type TlsMaterial, type TlsProblem, validityWarning } from './tls-files.ts';

export interface TlsCertificateOptions {
  readonly files: TlsFiles;
  /** The options that name the files, such as `mqtt.listeners[0].tls`, for messages. */
  readonly usedBy: string;
  readonly logger: Logger;
  /** How long after a sign of change the files are read: those that belong together are seldom replaced at once. */
  readonly settleMs?: number;
  /** Signs of change are also looked for so often, for file systems that give none. */
  readonly pollMs?: number;
  /** UTC milliseconds. */
  readonly now?: () => number;
}

const SETTLE_MS = 500;
const POLL_MS = 60_000;
const EXPIRY_CHECK_MS = 6 * 60 * 60 * 1000;

/**
 * A server's certificate that is read again when its files change: replaced by a rename, written in place, or reached
 * by a symbolic link that leads elsewhere now. Unusable files change nothing: the certificate that was good stays.
 */
export class TlsCertificate {
  readonly #options: Required<TlsCertificateOptions>;
  readonly #paths: readonly string[];
  #current: TlsMaterial | undefined;
  #onChange: (material: TlsMaterial) => void = () => undefined;
  #watchers: FSWatcher[] = [];
  #settling: NodeJS.Timeout | undefined;
  #expiryTimer: NodeJS.Timeout | undefined;
  /** What the files looked like from outside when they were read last. */
  #seen = '';
  /** Why the files could not be used then; and what of that was logged. */
  #unusable = '';
  #told = '';
  #toldExpiry = '';
  readonly #changed = () => this.#arm();

  constructor(options: TlsCertificateOptions) {
    this.#options = { settleMs: SETTLE_MS, pollMs: POLL_MS, now: Date.now, ...options };
    const { certFile, keyFile, caFile } = options.files;
    this.#paths = caFile === undefined ? [certFile, keyFile] : [certFile, keyFile, caFile];
  }

  /** @throws SluiceError `tls_files_unusable` */
  load(): TlsMaterial {
    this.#current = loadTls(this.#options.files, this.#options.usedBy);
    this.#warnOfExpiry();
    return this.#current;
  }

  /** Calls `onChange` with every later content that is good, until `stop`. */
  watch(onChange: (material: TlsMaterial) => void): void {
    this.#onChange = onChange;
    this.#watchDirectories();
    const options = { persistent: false, interval: this.#options.pollMs };
    for (const path of this.#paths) watchFile(path, options, this.#changed);
    this.#expiryTimer = setInterval(() => this.#warnOfExpiry(), EXPIRY_CHECK_MS).unref();
    // What changed since `load` gave no sign.
    this.#arm();
  }

  stop(): void {
    for (const path of this.#paths) unwatchFile(path, this.#changed);
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    clearTimeout(this.#settling);
    this.#settling = undefined;
    clearInterval(this.#expiryTimer);
  }

  /** The directories that hold the names, and those that hold the files when the names are links. */
  #watchDirectories(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    for (const directory of new Set(this.#paths.flatMap(directoriesOf))) {
      try {
        const watcher = watch(directory, { persistent: false }, this.#changed);
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // Not there, or no watches left: the poll remains.
      }
    }
  }

  #arm(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#readAgain();
    }, this.#options.settleMs).unref();
  }

  #readAgain(): void {
    // Before the files are read: a change in between gives a sign.
    this.#watchDirectories();
    const seen = this.#paths.map(outsideOf).join();
    // Other files of the directory change too. What could not be used is looked at twice.
    if (seen === this.#seen && this.#unusable === this.#told) return;
    this.#seen = seen;
    const { material, problems } = readTls(this.#options.files);
    if (material === undefined) {
      this.#stay(problems);
      return;
    }
    this.#unusable = '';
    this.#told = '';
    if (material.digest === this.#current?.digest) return;
    this.#current = material;
    const { usedBy, logger, files } = this.#options;
    const validUntil = new Date(material.validUntil).toISOString();
    logger.info({ usedBy, certFile: files.certFile, validUntil }, 'certificate read again: new connections get it');
    this.#warnOfExpiry();
    this.#onChange(material);
  }

  /** Told only when a second look finds the same: files that are being replaced do not fit for a moment. */
  #stay(problems: readonly TlsProblem[]): void {
    const reason = problems.map(({ option, message }) => `${option}: ${message}`).join('; ');
    const isNew = reason !== this.#unusable;
    this.#unusable = reason;
    if (reason === this.#told) return;
    if (isNew) {
      this.#arm();
      return;
    }
    this.#told = reason;
    const { usedBy, logger } = this.#options;
    const hint = 'mend the files; they are read again by themselves';
    logger.warn({ usedBy, reason, hint }, 'the new certificate cannot be used: the former one stays');
  }

  #warnOfExpiry(): void {
    if (this.#current === undefined) return;
    const { digest, validFrom, validUntil } = this.#current;
    const message = validityWarning({ validFrom, validUntil }, this.#options.now());
    if (message === undefined || this.#toldExpiry === digest + message) return;
    this.#toldExpiry = digest + message;
    const { usedBy, logger, files } = this.#options;
    const times = { validFrom: new Date(validFrom).toISOString(), validUntil: new Date(validUntil).toISOString() };
    logger.warn({ usedBy, certFile: files.certFile, ...times }, message);
  }
}

/** Changes whenever the content does, but not only then. */
function outsideOf(path: string): string {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = statSync(path);
    return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
  } catch {
    return 'unreadable';
  }
}

function directoriesOf(path: string): readonly string[] {
  try {
    return [dirname(path), dirname(realpathSync(path))];
  } catch {
    return [dirname(path)];
  }
}
