import { count, duration, section, size } from './options.ts';

export const http = section({
  storeTimeout: duration(
    '10s',
    'A request whose record is not on disk after so long is answered 503; it may still become stored.',
    { min: '100ms', max: '25s' },
  ),
  maxWaiting: size('8MiB', 'What requests that wait for the disk may take of the memory; more are answered 503.', {
    min: '64KiB',
    max: '1GiB',
  }),
  idempotencyWindow: duration('1d', 'So long a repeated request with the same Idempotency-Key is recognised.', {
    min: '1m',
    max: '90d',
  }),
  maxIdempotencyKeys: count(100_000, 'Idempotency keys remembered; the oldest make room.', {
    min: 100,
    max: 1_000_000,
    unit: 'keys',
  }),
});
