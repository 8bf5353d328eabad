import { FirstMatch } from '../../core/first-match.ts';
import type { RouteOptions } from '../../core/route.ts';
import { capture, parseTopicPattern } from '../../core/topic-pattern.ts';
import { LocalZone } from '../local-zone.ts';
import { Route } from './route.ts';

export interface RouteMatch {
  readonly route: Route;
  readonly captures: ReadonlyMap<string, string>;
}

/** Devices say something on the same few topics all the time; who makes up ever new ones keeps no more than these in memory. */
const MAX_KNOWN = 1_000;
const MAX_KNOWN_CHARS = 200;

/** Finds the route of a topic: the first whose filter matches. */
export class RouteTable {
  readonly #routes = new FirstMatch<Route>();
  readonly #known = new Map<string, RouteMatch>();

  /** @throws Error when a route is not one that the configuration lets through */
  constructor(routes: readonly RouteOptions[]) {
    const zones = new Map<string, LocalZone>();
    for (const [index, options] of routes.entries()) {
      const pattern = parseTopicPattern(options.topic);
      if (typeof pattern === 'string') throw new Error(`the topic of a route ${pattern}`);
      const zone = zoneOf(options.zone, zones);
      this.#routes.add(pattern.filter, new Route(index, { options, pattern, zone }));
    }
  }

  find(topic: string): RouteMatch | undefined {
    const known = this.#known.get(topic);
    if (known !== undefined) return known;
    const route = this.#routes.find(topic);
    if (route === undefined) return undefined;
    const match = { route, captures: capture(route.pattern, topic) };
    if (topic.length <= MAX_KNOWN_CHARS) this.#keep(topic, match);
    return match;
  }

  #keep(topic: string, match: RouteMatch): void {
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(topic, match);
  }
}

/** Routes share zones: making one takes a while, and what one learns of its offsets serves all. */
function zoneOf(name: string | undefined, zones: Map<string, LocalZone>): LocalZone | null {
  if (name === undefined || name === 'UTC') return null;
  const zone = zones.get(name) ?? new LocalZone(name);
  zones.set(name, zone);
  return zone;
}
