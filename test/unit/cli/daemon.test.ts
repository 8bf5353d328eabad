import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Daemon } from '../../../src/cli/daemon.ts';

let dataDir: string;
let server: Server | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
});
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
  rmSync(dataDir, { recursive: true });
});

async function answerWith(listener: RequestListener): Promise<void> {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => started.listen(join(dataDir, 'control.sock'), resolve));
}

const codeOf = (code: string) => expect.objectContaining({ name: 'SluiceError', code });

describe('talking to the running gateway', () => {
  it('asks over the socket in the data directory', async () => {
    await answerWith((request, response) => response.end(JSON.stringify([request.method, request.url])));
    expect(await new Daemon(dataDir).ask('GET', '/v1/gateway')).toEqual({ status: 200, body: ['GET', '/v1/gateway'] });
  });

  it('sends JSON', async () => {
    await answerWith(async (request, response) => {
      response.writeHead(201).end(JSON.stringify([request.headers['content-type'], await json(request)]));
    });
    const { status, body } = await new Daemon(dataDir).ask('POST', '/control/devices', { id: 'ä' });
    expect([status, body]).toEqual([201, ['application/json', { id: 'ä' }]]);
  });

  it('takes an answer without content, and one that is an error but no problem', async () => {
    await answerWith(({ method }, response) =>
      method === 'DELETE' ? response.writeHead(204).end() : response.writeHead(503).end('{"status":"failed"}'),
    );
    expect(await new Daemon(dataDir).ask('DELETE', '/x')).toEqual({ status: 204, body: undefined });
    expect(await new Daemon(dataDir).ask('GET', '/x')).toEqual({ status: 503, body: { status: 'failed' } });
  });

  it('turns a problem into an error with its code', async () => {
    const problem = {
      type: '/problems/device_exists',
      title: 'Device exists',
      status: 409,
      detail: 'It has a secret.',
    };
    await answerWith((_, response) => response.writeHead(409).end(JSON.stringify(problem)));
    await expect(new Daemon(dataDir).ask('POST', '/x', {})).rejects.toMatchObject({
      code: 'device_exists',
      message: 'It has a secret.',
    });
  });

  it('says that none runs where there is no socket', async () => {
    await expect(new Daemon(dataDir).ask('GET', '/x')).rejects.toEqual(codeOf('not_running'));
  });

  it('says that none runs when a killed one left its socket behind', async () => {
    const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script, join(dataDir, 'control.sock')]);
    expect(existsSync(join(dataDir, 'control.sock'))).toBe(true);
    await expect(new Daemon(dataDir).ask('GET', '/x')).rejects.toEqual(codeOf('not_running'));
  });

  it('does not wait for ever for an answer', async () => {
    await answerWith(() => {});
    await expect(new Daemon(dataDir, 100).ask('GET', '/x')).rejects.toEqual(codeOf('no_answer'));
  });

  it('does not wait for ever for the rest of an answer', async () => {
    await answerWith((_, response) => response.write('{"a":'));
    await expect(new Daemon(dataDir, 200).ask('GET', '/x')).rejects.toEqual(codeOf('no_answer'));
  });

  it.each(['<html>', '{"a":'])('does not take %s for an answer', async (content) => {
    await answerWith((_, response) => response.end(content));
    await expect(new Daemon(dataDir).ask('GET', '/x')).rejects.toEqual(codeOf('bad_answer'));
  });
});
