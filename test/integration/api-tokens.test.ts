import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ask } from '../support/ask.ts';
import { freePort } from '../support/free-port.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type CommandResult, startCommand } from '../support/run-command.ts';

const PAGE = readFileSync(resolve(import.meta.dirname, '../../docs/api.md'), 'utf8');
const TLS = { certFile: 'none.pem', keyFile: 'none-key.pem' };
let gateway: GatewayProcess;

afterEach(() => gateway.dispose());

/** The commands of docs/api.md that begin so. */
function commands(beginning: string): string {
  const block = PAGE.split('```sh\n').find((part) => part.startsWith(beginning)) ?? '';
  return block.split('```')[0] ?? '';
}

function run(script: string): Promise<CommandResult> {
  return startCommand('sh', ['-c', script]).ended;
}

describe('the buffer', () => {
  it('shows itself as documented', async () => {
    gateway = await GatewayProcess.create();
    await gateway.start();
    const shown = commands('curl -s http://127.0.0.1:8080/v1/buffer').replace(':8080', `:${gateway.apiPort}`);
    const example = PAGE.split('```json\n').find((part) => part.includes('"used_bytes"')) ?? '';
    const fields = Object.keys(JSON.parse(example.split('```')[0] ?? '') as object);
    expect(Object.keys(JSON.parse((await run(shown)).stdout) as object)).toEqual(fields);
  });
});

describe('a gateway that answers the network', () => {
  it('takes the token that the documented commands make, and only that', async () => {
    gateway = await GatewayProcess.create();
    const tokensFile = join(gateway.directory, 'api-tokens');
    const made = await run(commands('token=').replaceAll('/etc/sluice/api-tokens', tokensFile));
    const token = made.stdout.trim();
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect(readFileSync(tokensFile, 'utf8')).not.toContain(token);

    const port = await freePort();
    const listeners = [
      { host: '127.0.0.1', port: gateway.apiPort },
      { host: '127.0.0.1', port, anonymous: false },
    ];
    gateway.configure({ api: { listeners, tokensFile } });
    await gateway.start();
    expect((await ask({ port, path: '/v1/gateway' })).status).toBe(401);
    const asked = commands('curl -s -H "Auth').replace('http://gateway.lan:8081', `http://127.0.0.1:${port}`);
    const answer = await run(`token=${token}; ${asked}`);
    expect(JSON.parse(answer.stdout)).toMatchObject({ id: 'test-gateway' });
    expect(gateway.logTail()).not.toContain(token);
  });

  it.each([
    ['api.tokensFile', { api: { listeners: [{ host: '127.0.0.1', anonymous: false }], tokensFile: 'none' } }],
    ['mqtt.listeners[0].tls.certFile', { mqtt: { listeners: [{ host: '127.0.0.1', tls: TLS }] } }],
    ['api.listeners[0].tls.keyFile', { api: { listeners: [{ host: '127.0.0.1', tls: TLS }] } }],
  ])('touches nothing when %s is not there, and may be started again', async (option, config) => {
    gateway = await GatewayProcess.create();
    const dataDir = join(gateway.directory, 'new');
    gateway.configure({ gateway: { id: 'test-gateway', dataDir }, ...config });
    gateway.launch();
    expect(await gateway.exited()).toEqual({ code: 1, signal: null });
    expect(gateway.logTail()).toContain(`${option}: `);
    expect(existsSync(dataDir)).toBe(false);
  });

  it('does not start without tokens, and says what to do', async () => {
    gateway = await GatewayProcess.create({ config: { api: { listeners: [{ host: '0.0.0.0', port: 0 }] } } });
    gateway.launch();
    expect((await gateway.exited()).code).toBe(78);
    expect(gateway.logTail()).toContain('api.listeners[0]: needs tokens: set api.tokensFile');
  });
});
