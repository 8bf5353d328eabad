import { LIMITS, type MqttOptions } from './options.ts';
import type { Problems } from './problems.ts';
import type { SessionEvents, SessionLimits } from './sessions.ts';

export interface SessionRules {
  readonly options: Pick<
    MqttOptions,
    'maxQueuedMessages' | 'maxQueuedBytes' | 'maxQueuedAge' | 'sessionExpiry' | 'maxClients'
  >;
  /** What the queues of all sessions may hold together. */
  readonly queueBudgetBytes: number;
  readonly problems: Problems;
  readonly isConnected: (clientId: string) => boolean;
  /** A session was given up: nothing of it may stay behind. */
  readonly onSessionEnded: (clientId: string) => void;
}

export function sessionLimits({ options, queueBudgetBytes }: SessionRules): SessionLimits {
  return {
    maxSessions: Math.max(LIMITS.sessions, 2 * options.maxClients),
    maxQueuedMessages: options.maxQueuedMessages,
    maxQueuedBytes: options.maxQueuedBytes,
    maxQueuedAgeMs: options.maxQueuedAge,
    maxAwayMs: options.sessionExpiry,
    maxBytes: Math.min(LIMITS.queuedBytes, queueBudgetBytes),
    maxOwnSessions: LIMITS.sessionsPerDevice,
    maxFilterBytes: LIMITS.filterBytes,
    maxOwnFilterBytes: LIMITS.filterBytesPerDevice,
  };
}

export function sessionEvents({ problems, isConnected, onSessionEnded }: SessionRules): SessionEvents {
  return {
    isConnected,
    onQueueFull: (clientId) => problems.queueFull(clientId),
    onAged: (clientId, count) => problems.queueAged(clientId, count),
    onLost: (clientId, count) => problems.queueLost(clientId, count),
    onEvicted: (clientId) => {
      problems.sessionEvicted(clientId);
      onSessionEnded(clientId);
    },
    onReplaced: onSessionEnded,
    onTooLarge: (clientId) => {
      problems.sessionTooLarge(clientId);
      onSessionEnded(clientId);
    },
    onExpired: (clientId) => {
      problems.sessionExpired(clientId);
      onSessionEnded(clientId);
    },
  };
}
