import { describe, expect, it } from 'vitest';
import { bounded, pause } from '../../../src/uplink/bounded.ts';

const NEVER = new AbortController().signal;

describe('bounded', () => {
  it('gives what the work gives', async () => {
    const bounds = { deadlineMs: 1_000, signal: NEVER };
    expect(await bounded('it', Promise.resolve(7), bounds)).toBe(7);
    await expect(bounded('it', Promise.reject(new Error('broken')), bounds)).rejects.toThrow('broken');
  });

  it('ends at its deadline when the work does not', async () => {
    const hanging = new Promise<never>(() => undefined);
    const failure = bounded('the request', hanging, { deadlineMs: 1, signal: NEVER });
    await expect(failure).rejects.toMatchObject({ code: 'upstream_timeout', retryable: true });
  });

  it('ends when it is aborted, also when that happened before', async () => {
    const hanging = new Promise<never>(() => undefined);
    const controller = new AbortController();
    const failure = bounded('it', hanging, { deadlineMs: 60_000, signal: controller.signal });
    controller.abort();
    await expect(failure).rejects.toMatchObject({ code: 'aborted' });
    const again = bounded('it', hanging, { deadlineMs: 60_000, signal: controller.signal });
    await expect(again).rejects.toMatchObject({ code: 'aborted' });
  });

  it('leaves no unhandled rejection behind when the work fails late', async () => {
    const { promise, reject } = Promise.withResolvers<never>();
    await expect(bounded('it', promise, { deadlineMs: 0, signal: NEVER })).rejects.toThrow();
    reject(new Error('late'));
    await pause(0, NEVER);
  });
});

describe('pause', () => {
  it('ends early when it is aborted', async () => {
    const controller = new AbortController();
    const pausing = pause(60_000, controller.signal);
    controller.abort();
    await pausing;
    await pause(60_000, controller.signal);
  });
});
