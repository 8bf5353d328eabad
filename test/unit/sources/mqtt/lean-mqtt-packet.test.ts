import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { rolldown } from 'rolldown';
import { expect, it } from 'vitest';
import config from '../../../../rolldown.config.ts';

const ROOT = resolve(import.meta.dirname, '../../../..');

/** Loads the broker in a process of its own; prints how often the packet library asked for a log of its own. */
const COUNT = `
  import { createRequire } from 'node:module';
  const requireAsAedes = createRequire(createRequire(${JSON.stringify(`${ROOT}/package.json`)}).resolve('aedes'));
  const requireAsParser = createRequire(requireAsAedes.resolve('mqtt-packet'));
  const debug = requireAsParser('debug');
  let count = 0;
  requireAsParser.cache[requireAsParser.resolve('debug')].exports = Object.assign((name) => {
    if (name.startsWith('mqtt-packet')) count += 1;
    return debug(name);
  }, debug);
  await import(${JSON.stringify(`${ROOT}/src/sources/mqtt/aedes-broker.ts`)});
  requireAsAedes('mqtt-packet');
  console.log(count);
`;

it.each([
  ['takes the log of the packet library away, before that asks for it', {}, '0'],
  ['leaves it with DEBUG set', { DEBUG: 'nothing' }, '2'],
])('%s', (_, env, count) => {
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', COUNT], { encoding: 'utf8', env });
  expect([run.stdout.trim(), run.stderr]).toEqual([count, '']);
});

it('keeps no buffer for each of the 65,536 packet ids', async () => {
  await import('../../../../src/sources/mqtt/lean-mqtt-packet.ts');
  expect(packetLibrary<{ cacheNumbers: boolean }>('mqtt-packet/writeToStream').cacheNumbers).toBe(false);
});

it('writes the acknowledgements of one tick at once, byte for byte as the packet library does', async () => {
  const { writePacket } = await import('../../../../src/sources/mqtt/lean-mqtt-packet.ts');
  const { generate } = packetLibrary<{ generate(packet: object): Buffer }>('mqtt-packet');
  const acks = [1, 255, 256, 65_535].map((messageId) => ({ cmd: 'puback', messageId }));
  const writes: Buffer[] = [];
  const stream = new Writable({
    writev: (chunks, done) => {
      writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)));
      done();
    },
  });
  for (const ack of acks) writePacket(ack, stream);
  expect(writes).toEqual([]);
  await new Promise((resolve) => process.nextTick(resolve));
  expect(writes).toEqual([Buffer.concat(acks.map((ack) => generate(ack)))]);
});

it('loses no acknowledgement to an end of the connection in the same tick', async () => {
  const { writePacket } = await import('../../../../src/sources/mqtt/lean-mqtt-packet.ts');
  const stream = new PassThrough();
  writePacket({ cmd: 'puback', messageId: 7 }, stream);
  stream.end();
  expect(await buffer(stream)).toEqual(Buffer.from([0x40, 2, 0, 7]));
});

function packetLibrary<T>(name: string): T {
  return createRequire(createRequire(import.meta.url).resolve('aedes'))(name) as T;
}

it('is loaded by the build in the same order: what is mended while it loads is imported nowhere', async () => {
  const bundle = await rolldown({ ...config, cwd: ROOT });
  const { output } = await bundle.generate({ format: 'esm' });
  await bundle.close();
  const code = output.map((chunk) => ('code' in chunk ? chunk.code : '')).join('\n');
  expect(code).toContain('"aedes"');
  expect(code).not.toMatch(/^import .*"(aedes|mqtt-packet|kafkajs)"/m);
});
