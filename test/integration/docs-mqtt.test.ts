import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { startCommand } from '../support/run-command.ts';

const PAGE = readFileSync(resolve(import.meta.dirname, '../../docs/mqtt.md'), 'utf8');

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-docs-'));
});
afterEach(stopMqtt);
afterAll(() => rmSync(directory, { recursive: true }));

function blocks(language: string): readonly string[] {
  return [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '');
}

describe('the page on MQTT', () => {
  it('shows a configuration and commands that work together', async () => {
    const [text = ''] = blocks('yaml');
    const [authority = '', publish = ''] = blocks('sh');
    execFileSync('sh', ['-euc', authority], { cwd: directory, stdio: 'pipe' });
    const { config } = parseConfig(text, { file: join(directory, 'sluice.yaml'), env: {} });
    const listeners = config.mqtt.listeners.map((listener) => ({ ...listener, host: '127.0.0.1', port: 0 }));
    const { source, intake } = await startMqtt({ mqtt: { ...config.mqtt, listeners } });
    const [local, secure, pages] = source.addresses();
    expect([local?.transport, secure?.transport, pages?.transport]).toEqual(['tcp', 'tls', 'wss']);
    expect(publish).toContain('-p 8883');
    const command = `cd ${directory} && ${publish.replace('-p 8883', `-p ${secure?.port}`)}`;
    expect(await startCommand('sh', ['-euc', command]).ended).toMatchObject({ code: 0, stderr: '' });
    expect(intake.payloads()).toEqual(['{"temperature":21.5}']);
  });
});
