import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { limitAnswers, MAX_ANSWER_BYTES } from '../../../../src/uplink/kafka/answer-limit.ts';
import { waitFor } from '../../../support/wait-for.ts';

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(length);
  return bytes;
}

function limited(): { readonly socket: PassThrough; readonly errors: Error[] } {
  const socket = new PassThrough();
  const errors: Error[] = [];
  socket.on('error', (error) => errors.push(error));
  limitAnswers(socket);
  return { socket, errors };
}

describe('limitAnswers', () => {
  it('lets answers pass up to the longest, one behind the other, in whatever pieces', async () => {
    const { socket, errors } = limited();
    let byteCount = 0;
    socket.on('data', (chunk: Buffer) => {
      byteCount += chunk.byteLength;
    });
    const sent = [lengthOf(8), Buffer.alloc(8, 0xff), lengthOf(0), lengthOf(MAX_ANSWER_BYTES)];
    for (const byte of Buffer.concat(sent)) socket.write(Buffer.from([byte]));
    socket.write(Buffer.concat([Buffer.alloc(MAX_ANSWER_BYTES, 0xff), lengthOf(3), Buffer.alloc(3, 0xff)]));
    socket.end();
    const expected = 8 + 4 * 4 + MAX_ANSWER_BYTES + 3;
    await waitFor(() => byteCount === expected || errors.length > 0, { what: 'all to pass', timeoutMs: 5_000 });
    expect(errors).toEqual([]);
  });

  it.each([MAX_ANSWER_BYTES + 1, 0x7fff_ffff, -1])('ends what announces %i bytes, behind an answer', async (length) => {
    const { socket, errors } = limited();
    socket.write(Buffer.concat([lengthOf(2), Buffer.alloc(2), lengthOf(length).subarray(0, 3)]));
    socket.write(lengthOf(length).subarray(3));
    await waitFor(() => errors.length > 0, { what: 'the end', timeoutMs: 5_000 });
    expect(errors).toMatchObject([{ code: 'kafka_answer_too_long', retryable: true }]);
    expect(errors[0]?.message).toContain(`${length} bytes`);
    expect(socket.destroyed).toBe(true);
  });
});
