import { expect, it } from 'vitest';
import { DenialLog } from '../../../../src/sources/mqtt/denial-log.ts';
import { MemoryLogger } from '../../../support/memory-logger.ts';

function setUp() {
  const logger = new MemoryLogger();
  const log = new DenialLog(logger);
  const deny = (clientId: string, topic: string) =>
    log.denied({ action: 'publish', clientId, identity: null, topic, reason: 'not_allowed' });
  return { logger, deny };
}

it('logs one line per client and topic', () => {
  const { logger, deny } = setUp();
  for (let round = 0; round < 3; round += 1) {
    for (const client of ['a', 'b']) for (const topic of ['x', 'y']) deny(client, topic);
  }
  expect(logger.lines.length).toBe(4);
  expect(logger.lines[0]).toEqual({
    level: 'warn',
    fields: { clientId: 'a', device: null, topic: 'x', reason: 'not_allowed' },
    message: 'MQTT publish denied',
  });
});

it('cuts a client short that tries many topics', () => {
  const { logger, deny } = setUp();
  for (let topic = 0; topic < 1_000; topic += 1) deny('a', `x/${topic}`);
  expect(logger.lines.length).toBe(17);
  expect(logger.lines.at(-1)?.message).toContain('no more of them');
});

it('remembers a bounded number of clients', () => {
  const { logger, deny } = setUp();
  for (let client = 0; client < 1_001; client += 1) deny(`c${client}`, 'x');
  deny('c1000', 'x');
  expect(logger.lines.length).toBe(1_001);
  deny('c0', 'x');
  expect(logger.lines.length).toBe(1_002);
});

it('writes foreign text on one line', () => {
  const { logger, deny } = setUp();
  deny('a\nb', `x\n${'y'.repeat(1_000)}`);
  const fields = logger.lines[0]?.fields;
  expect(fields?.['clientId']).toBe('a\\u{a}b');
  expect(fields?.['topic']).toMatch(/^x\\u\{a\}y{150,210}…$/);
});
