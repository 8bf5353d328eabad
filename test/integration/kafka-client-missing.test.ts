import { afterEach, describe, expect, it } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';

const WITHOUT = new URL('../support/without-platformatic.ts', import.meta.url).href;

describe('a gateway without the optional package of a Kafka client', () => {
  let gateway: GatewayProcess;

  afterEach(() => gateway.dispose());

  async function create(client: string): Promise<void> {
    const uplink = { name: 'plant', type: 'kafka', brokers: ['127.0.0.1:1'], client };
    gateway = await GatewayProcess.create({ config: { uplinks: [uplink] }, nodeOptions: ['--import', WITHOUT] });
  }

  it('does not start when the configuration asks for it, and says what to do', async () => {
    await create('platformatic');
    gateway.launch();
    expect(await gateway.exited()).toEqual({ code: 78, signal: null });
    expect(gateway.logTail()).toMatch(/:\d+:\d+: uplinks\[0\]\.client: @platformatic\/kafka is not installed/);
    expect(gateway.logTail()).toContain('npm ci --ignore-scripts');
  });

  it('runs with another client', async () => {
    await create('kafkajs');
    await gateway.start();
  });
});
