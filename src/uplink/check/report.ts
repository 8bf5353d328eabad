import { messageOf, SluiceError } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';
import type { TopicRoute } from '../options.ts';

export interface CheckContext {
  /** As it stands in topics. */
  readonly gatewayId: string;
  readonly routes: readonly TopicRoute[];
  /** Made when the gateway starts. */
  readonly dataDir: string;
  /** Milliseconds for which this gateway keeps records. */
  readonly maxAge: number;
  /** Bytes of the largest message that devices may send. */
  readonly maxMessageBytes: number;
}

export type CheckName =
  | 'files'
  | 'dns'
  | 'tcp'
  | 'tls'
  | 'login'
  | 'topic'
  | 'write'
  | 'read'
  | 'transaction'
  | 'retention'
  | 'compaction'
  | 'size'
  | 'directory'
  | 'space';

/** One thing that was looked at. */
export interface CheckStep {
  readonly step: CheckName;
  /** Broker, topic, file or directory. */
  readonly target: string;
  /** `warning`: records arrive, but something should be known. */
  readonly result: 'ok' | 'warning' | 'failed';
  /** What was found, in plain words. */
  readonly message: string;
  /** What to do; null when nothing. */
  readonly hint: string | null;
}

export interface UplinkReport {
  readonly name: string;
  readonly type: 'kafka' | 'file';
  readonly steps: readonly CheckStep[];
}

/** Collects the steps of one check, fit to print. */
export class Report {
  readonly steps: CheckStep[] = [];

  ok(step: CheckName, target: string, message: string): void {
    this.#add({ step, target, result: 'ok', message, hint: null });
  }

  warn(step: CheckName, target: string, message: string, hint: string): void {
    this.#add({ step, target, result: 'warning', message, hint });
  }

  fail(step: CheckName, target: string, error: unknown): void {
    const hint = error instanceof SluiceError ? (error.hint ?? null) : null;
    this.#add({ step, target, result: 'failed', message: messageOf(error), hint });
  }

  #add(step: CheckStep): void {
    this.steps.push({ ...step, target: printable(step.target, 300), message: printable(step.message, 500) });
  }
}
