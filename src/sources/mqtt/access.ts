/** Who may publish and subscribe to what. An identity is a device id, or null for a trusted anonymous client. */

import { isBrokerTopic, isOwnTopic, nameInNamespace } from '../../core/device-topic.ts';
import { coversFilter, isSystemTopic, matchesFilter } from './topics.ts';

export type Identity = string | null;

/** What devices may do beside `devices/{their id}/…`. */
export interface Grant {
  /** A device id, in which `*` stands for anything. */
  readonly device: string;
  /** Topic filters; `{device}` stands for the id of the device. */
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

type Filters = Pick<Grant, 'publish' | 'subscribe'>;

const NONE: Filters = { publish: [], subscribe: [] };
/** Devices whose grants are kept at hand. */
const MAX_KNOWN = 10_000;

export class Access {
  readonly #grants: readonly (Filters & { readonly pattern: RegExp })[];
  readonly #known = new Map<string, Filters>();

  constructor(grants: readonly Grant[]) {
    this.#grants = grants.map((grant) => ({ ...grant, pattern: globPattern(grant.device) }));
  }

  /** `$SYS` and every `devices/{id}/status` are the broker's own. */
  mayPublish(identity: Identity, topic: string): boolean {
    if (identity !== null && isOwnTopic(identity, topic)) return mayPublishOwn(topic);
    if (isSystemTopic(topic) || nameInNamespace(topic) === 'status') return false;
    return identity === null || this.#grantsOf(identity).publish.some((filter) => matchesFilter(filter, topic));
  }

  /** A filter is allowed when everything that it can match is. */
  maySubscribe(identity: Identity, filter: string): boolean {
    if (isSystemTopic(filter)) return false;
    if (identity === null || isOwnTopic(identity, filter)) return true;
    return this.#grantsOf(identity).subscribe.some((granted) => coversFilter(granted, filter));
  }

  #grantsOf(device: string): Filters {
    if (this.#grants.length === 0) return NONE;
    let filters = this.#known.get(device);
    if (filters !== undefined) return filters;
    const grants = this.#grants.filter(({ pattern }) => pattern.test(device));
    const own = (filter: string) => filter.replaceAll('{device}', device);
    filters = {
      publish: grants.flatMap(({ publish }) => publish.map(own)),
      subscribe: grants.flatMap(({ subscribe }) => subscribe.map(own)),
    };
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(device, filters);
    return filters;
  }
}

/** On topics where the broker speaks to it a device may listen, not speak. */
function mayPublishOwn(topic: string): boolean {
  return nameInNamespace(topic) !== '' && !isBrokerTopic(topic);
}

/** Ids hold no character that means something in a pattern but `.` and `-`. */
function globPattern(glob: string): RegExp {
  return new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll(/\*+/g, '.*')}$`);
}
