import { FilterTree } from '../../core/filter-tree.ts';
import type { RouteOptions } from '../../core/route.ts';
import { capture, parseTopicPattern } from '../../core/topic-pattern.ts';
import { Route } from './route.ts';

export interface RouteMatch {
  readonly route: Route;
  readonly captures: ReadonlyMap<string, string>;
}

/** Finds the route of a topic: the first whose filter matches, in about as many steps as the topic has levels. */
export class RouteTable {
  readonly #tree = new FilterTree<Route>();

  /** @throws Error when a route is not one that the configuration lets through */
  constructor(routes: readonly RouteOptions[]) {
    for (const [index, options] of routes.entries()) {
      const pattern = parseTopicPattern(options.topic);
      if (typeof pattern === 'string') throw new Error(`the topic of a route ${pattern}`);
      this.#tree.add(pattern.filter, new Route(index, options, pattern));
    }
  }

  find(topic: string): RouteMatch | undefined {
    let first: Route | undefined;
    for (const route of this.#tree.match(topic)) {
      if (first === undefined || route.index < first.index) first = route;
    }
    return first === undefined ? undefined : { route: first, captures: capture(first.pattern, topic) };
  }
}
