import { SluiceError } from '../../../core/errors.ts';
import type { Stream } from '../../../core/stream.ts';
import type { CheckContext, Report } from '../../check/report.ts';
import type { KafkaUplinkOptions } from '../../options.ts';
import type { TopicView } from '../kafkajs/metadata-request.ts';

const DAY_MS = 86_400_000;
const UNLIMITED = -1;

export interface TopicCheck {
  readonly topic: TopicView;
  /** Those whose records go there. */
  readonly streams: readonly Stream[];
  readonly options: KafkaUplinkOptions;
  readonly context: CheckContext;
  readonly report: Report;
}

/** What a topic does with records: how long it keeps them, whether it compacts them, how large they may be. */
export function checkSettings(check: TopicCheck, settings: ReadonlyMap<string, string>): void {
  checkCompaction(check, settings.get('cleanup.policy') ?? '');
  checkRetention(check, Number(settings.get('retention.ms') ?? UNLIMITED), settings.get('cleanup.policy') ?? '');
  checkSize(check, Number(settings.get('max.message.bytes') ?? Number.MAX_SAFE_INTEGER));
}

function checkCompaction({ topic: { name }, streams, report }: TopicCheck, policy: string): void {
  if (!policy.includes('compact')) {
    report.ok('compaction', name, 'is off');
    return;
  }
  const message = 'the topic is compacted: only the newest record of each device stays';
  const hint = 'set its cleanup.policy to delete';
  if (!streams.includes('state')) report.warn('compaction', name, message, hint);
  else
    report.fail(
      'compaction',
      name,
      new SluiceError(`${message}, and of its state the rest is lost`, { code: 'compacted', hint }),
    );
}

function checkRetention({ topic: { name }, options, context, report }: TopicCheck, ms: number, policy: string): void {
  if (ms === UNLIMITED || !policy.includes('delete')) {
    report.ok('retention', name, 'records are kept for ever');
    return;
  }
  if (ms >= context.maxAge) {
    report.ok('retention', name, `records are kept for ${days(ms)}`);
    return;
  }
  const message = `records are kept for ${days(ms)}, and in this gateway for up to ${days(context.maxAge)} (buffer.maxAge)`;
  report.warn('retention', name, message, retentionHint(options));
}

function retentionHint({ timestamp }: KafkaUplinkOptions): string {
  if (timestamp === 'observed')
    return 'old records vanish as soon as they arrive: raise retention.ms, or set timestamp to sent';
  return 'readers have that long after the arrival; raise retention.ms when that is too short';
}

function checkSize({ topic: { name }, options, context, report }: TopicCheck, bytes: number): void {
  const { maxBytes } = options.batch;
  if (bytes < context.maxMessageBytes) {
    const message = `takes ${bytes} bytes at once; devices may send ${context.maxMessageBytes}`;
    report.warn(
      'size',
      name,
      message,
      'raise max.message.bytes, or lower mqtt.maxPacketSize: what is larger is set aside',
    );
  } else if (bytes < maxBytes) {
    const message = `takes ${bytes} bytes at once; batches have up to ${maxBytes}`;
    report.warn(
      'size',
      name,
      message,
      'raise max.message.bytes, or lower batch.maxBytes: until then batches are halved',
    );
  } else report.ok('size', name, `takes ${bytes} bytes at once`);
}

function days(ms: number): string {
  return ms >= DAY_MS ? `${Math.round((ms / DAY_MS) * 10) / 10} days` : `${Math.round(ms / 60_000)} minutes`;
}
