import type { HttpBindings } from '@hono/node-server';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Scope } from '../core/api-tokens.ts';
import type { KeptStore, LogBrowser } from '../core/browser.ts';
import type { Commands } from '../core/commands.ts';
import type { ReplayStore } from '../core/log-stats.ts';
import type { Intake } from '../core/ports.ts';
import type { GatewayViews } from '../core/views.ts';
import type { Logger } from '../platform/logger.ts';
import type { HttpRequestLabels } from '../platform/metrics.ts';
import type { WaitingRoom } from './waiting-room.ts';

/** The part of the metrics that the API needs. */
export interface ApiMetrics {
  readonly contentType: string;
  render(views: GatewayViews, now: number): Promise<string>;
  observeHttpRequest(labels: HttpRequestLabels, seconds: number): void;
}

export interface ApiDeps {
  readonly metrics: ApiMetrics;
  readonly logger: Logger;
  /** UTC milliseconds since 1970. */
  readonly now: () => number;
  /** A value older than this is `stale`. */
  readonly staleAfterMs: number;
  /** Larger ones are not taken. */
  readonly maxBodyBytes: number;
  /** The door for what comes in over HTTP. */
  readonly intake: Intake;
  /** Looks into the log. */
  readonly browser: LogBrowser;
  /** What is kept for people. */
  readonly kept: KeptStore;
  /** What is sent again. */
  readonly replays: ReplayStore;
  /** Commands to devices. */
  readonly commands: Commands;
  /** Where all requests wait that change something on the disk. */
  readonly room: WaitingRoom;
  /** Where the files of pages are. */
  readonly webDirectory: string;
}

/** What a route is made from. */
export interface ApiContext extends ApiDeps {
  readonly views: GatewayViews;
}

export interface ApiEnv {
  readonly Bindings: HttpBindings;
  readonly Variables: {
    /** What the token of the request may do; nothing is said where no token is needed. */
    readonly scopes?: ReadonlySet<Scope>;
  };
}

export type Api = OpenAPIHono<ApiEnv>;
