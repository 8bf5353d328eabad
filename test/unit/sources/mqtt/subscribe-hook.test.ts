import { describe, expect, it } from 'vitest';
import { Access } from '../../../../src/sources/mqtt/access.ts';
import { DenialLog } from '../../../../src/sources/mqtt/denial-log.ts';
import { SubscribeHook } from '../../../../src/sources/mqtt/subscribe-hook.ts';
import { MemoryLogger } from '../../../support/memory-logger.ts';

const METER = { clientId: 'm1', identity: 'meter' };
const PANEL = { clientId: 'panel', identity: null };

function setUp() {
  const logger = new MemoryLogger();
  const hook = new SubscribeHook(new Access([]), new DenialLog(logger), 4);
  const grants = (subscriber: typeof METER | typeof PANEL, topic: string, kept = false) =>
    hook.judge(subscriber, { topic, qos: 1 }, kept) !== null;
  const reasons = () => logger.lines.map(({ fields }) => fields['reason']);
  return { hook, grants, reasons };
}

describe('a subscription', () => {
  it.each([
    [METER, 'devices/meter/#', undefined],
    [METER, 'devices/pump/#', 'not_allowed'],
    [PANEL, 'a/b/c/d', undefined],
    [PANEL, 'a/b/c/d/e', 'too_many_levels'],
    [PANEL, 'a/+b', 'invalid_filter'],
    [PANEL, 'x'.repeat(1_024), undefined],
    [PANEL, 'x'.repeat(1_025), 'too_long'],
  ])('of $clientId to %s: %s', (subscriber, filter, reason) => {
    const { grants, reasons } = setUp();
    expect(grants(subscriber, filter)).toBe(reason === undefined);
    expect(reasons()).toEqual(reason === undefined ? [] : [reason]);
  });

  it('is denied when the client has too many, unless it has this one or gives one up', () => {
    const { hook, grants, reasons } = setUp();
    for (let n = 0; n < 1_000; n += 1) expect(grants(PANEL, `t/${n}`)).toBe(true);
    expect(grants(PANEL, 'more')).toBe(false);
    expect(reasons()).toEqual(['too_many_subscriptions']);
    expect(grants(PANEL, 't/5')).toBe(true);
    expect(grants(METER, 'devices/meter/#')).toBe(true);
    hook.unsubscribed(PANEL, ['t/5']);
    expect(grants(PANEL, 'more')).toBe(true);
  });

  it('is denied when all clients of the device have too many together, until one of them is gone', () => {
    const { hook, grants, reasons } = setUp();
    const clientOf = (n: number) => ({ clientId: `m${n}`, identity: 'meter' });
    const [first, second, third] = [clientOf(1), clientOf(2), clientOf(3)];
    const firstDenied = (client: typeof METER) =>
      Array.from({ length: 1_000 }, (_, n) => grants(client, `devices/meter/${n}/${'x'.repeat(950)}`)).indexOf(false);
    expect(firstDenied(first)).toBe(-1);
    expect(firstDenied(second)).toBeGreaterThan(0);
    expect(grants(third, 'devices/meter/telemetry/all')).toBe(false);
    expect(new Set(reasons())).toContain('no_room');
    expect(grants(PANEL, 'a')).toBe(true);
    hook.gone(second);
    hook.gone(second);
    expect(firstDenied(third)).toBeGreaterThan(0);
    hook.gone(first);
    hook.gone(third);
    expect(firstDenied(third)).toBe(-1);
  });

  it('is told once to the session that keeps it', () => {
    const { hook, grants } = setUp();
    grants(PANEL, 'a', true);
    grants(PANEL, '$SYS/#', true);
    grants(PANEL, 'b', true);
    grants(METER, 'devices/meter/#', false);
    expect(hook.takeFresh(PANEL)).toEqual([
      { topic: 'a', qos: 1 },
      { topic: 'b', qos: 1 },
    ]);
    expect(hook.takeFresh(PANEL)).toEqual([]);
    expect(hook.takeFresh(METER)).toEqual([]);
  });

  it('is not told any more when it was given up meanwhile', () => {
    const { hook, grants } = setUp();
    grants(PANEL, 'a', true);
    grants(PANEL, 'b', true);
    hook.unsubscribed(PANEL, ['a']);
    expect(hook.takeFresh(PANEL)).toEqual([{ topic: 'b', qos: 1 }]);
  });
});
