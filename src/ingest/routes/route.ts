import { placeholdersOf } from '../../core/placeholders.ts';
import type { MetricRule, RouteOptions } from '../../core/route.ts';
import { StructLayout } from '../../core/struct-layout.ts';
import { TextPattern } from '../../core/text-pattern.ts';
import type { TopicPattern } from '../../core/topic-pattern.ts';
import type { DecodeOptions } from '../formats/reading.ts';
import type { LocalZone } from '../local-zone.ts';

const BASE = 'base';

interface RouteParts {
  readonly options: RouteOptions;
  readonly pattern: TopicPattern;
  /** Null: UTC. */
  readonly zone: LocalZone | null;
}

/** A route made ready: what can be known before the first message is. */
export class Route {
  readonly index: number;
  readonly options: RouteOptions;
  readonly pattern: TopicPattern;
  readonly metricRules: ReadonlyMap<string, MetricRule>;
  readonly decodeOptions: Omit<DecodeOptions, 'metric' | 'now'>;

  constructor(index: number, { options, pattern, zone }: RouteParts) {
    const { columns = [], separator = ',', decimal = '.', time = 'ts', deviceFrom, metrics = {} } = options;
    const { device, format } = options;
    this.index = index;
    this.options = options;
    this.pattern = pattern;
    this.metricRules = new Map(Object.entries(metrics));
    this.decodeOptions = {
      time,
      deviceFrom,
      zone,
      columns,
      separator,
      decimal,
      pattern: options.pattern === undefined ? undefined : new TextPattern(options.pattern),
      layout: options.layout === undefined ? undefined : new StructLayout(options.layout),
      baseIsDevice: format === 'senml' && !pattern.captures.has(BASE) && placeholdersOf(device).includes(BASE),
    };
  }
}
