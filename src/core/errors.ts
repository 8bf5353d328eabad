export interface SluiceErrorOptions {
  /** Stable, `snake_case`; shown to people and programs. */
  readonly code: string;
  /** True when the same attempt may succeed later without anybody's help. */
  readonly retryable?: boolean;
  /** What the operator should do. One sentence, no trailing full stop needed. */
  readonly hint?: string;
  /** When the same attempt may succeed, if that is known. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** The one error family. Libraries' errors are translated into it where the library is used. */
export class SluiceError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly hint: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: SluiceErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SluiceError';
    this.code = options.code;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Node's `code` (`ENOENT`, `ECONNREFUSED` …) of anything that was thrown. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
