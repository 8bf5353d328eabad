import type { Upstream } from '../../core/upstream.ts';
import { type ExactlyOnceOptions, ExactlyOnceUpstream } from './exactly-once/exactly-once-upstream.ts';
import { KafkaUpstream } from './kafka-upstream.ts';

export function createKafkaUpstream(options: ExactlyOnceOptions): Upstream {
  return options.delivery === 'exactly_once' ? new ExactlyOnceUpstream(options) : new KafkaUpstream(options);
}
