import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../../src/sources/mqtt/options.ts';
import { Problems } from '../../../../src/sources/mqtt/problems.ts';
import { Router } from '../../../../src/sources/mqtt/router.ts';
import { MemoryLogger } from '../../../support/memory-logger.ts';

describe('the router', () => {
  it('tells which session it gave up, so that the open exchanges of it are given up too', () => {
    const evicted: string[] = [];
    const router = new Router({
      brokerId: 'broker',
      maxQueuedMessages: 10,
      maxClients: 1,
      problems: new Problems(new MemoryLogger()),
      isConnected: () => false,
      onSessionEvicted: (clientId) => evicted.push(clientId),
    });
    for (let i = 0; i <= LIMITS.sessions; i++) router.sessions.resume(`client-${i}`);
    expect(evicted).toEqual(['client-0']);
  });
});
