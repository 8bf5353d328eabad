import { EventEmitter, once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Admission } from '../../../../src/sources/mqtt/admission.ts';
import type { BrokerClient, ConnectPacket } from '../../../../src/sources/mqtt/aedes-broker.ts';
import type { Connection } from '../../../../src/sources/mqtt/connection.ts';
import { Login } from '../../../../src/sources/mqtt/login.ts';
import { Problems } from '../../../../src/sources/mqtt/problems.ts';
import { MemoryLogger } from '../../../support/memory-logger.ts';
import { FakeAccess } from '../../../support/mqtt-harness.ts';

class FakeClient {
  readonly conn = new EventEmitter();
  closed = false;
  closeCount = 0;

  close(): void {
    this.closed = true;
    this.closeCount += 1;
  }
}

function setUp() {
  const clients = new Map<string, FakeClient>();
  const admission = new Admission({
    login: new Login(new FakeAccess(), 1_000),
    problems: new Problems(new MemoryLogger()),
    clientOf: (clientId) => clients.get(clientId) as BrokerClient | undefined,
    isOverloaded: () => false,
  });
  const settled: string[] = [];
  const admit = async (name: string, client: FakeClient) => {
    const connection = { link: { anonymous: true, certified: null }, clientId: '' } as Connection;
    const packet: ConnectPacket = { cmd: 'connect', clientId: 'same', protocolVersion: 4, clean: true };
    const letIn = await admission.admit(client as unknown as BrokerClient, connection, packet);
    settled.push(`${name} ${letIn}`);
  };
  const registered = (client: FakeClient) => {
    clients.set('same', client);
    admission.registered(client as unknown as BrokerClient);
  };
  const gone = (client: FakeClient) => {
    clients.delete('same');
    admission.gone(client as unknown as BrokerClient);
  };
  return { admit, registered, gone, settled };
}

/** All that can happen without an event from outside has happened. */
async function idle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
}

describe('clients with the same client id', () => {
  it('are let in when the one before is gone completely', async () => {
    const { admit, registered, gone, settled } = setUp();
    const [first, second] = [new FakeClient(), new FakeClient()];
    await admit('first', first);
    registered(first);
    const done = admit('second', second);
    await idle();
    expect(first.closeCount).toBe(1);
    expect(settled).toEqual(['first true']);
    gone(first);
    await done;
    expect(settled).toEqual(['first true', 'second true']);
  });

  it('wait while another is being let in', async () => {
    const { admit, registered, gone, settled } = setUp();
    const [first, second, third] = [new FakeClient(), new FakeClient(), new FakeClient()];
    void admit('first', first);
    void admit('second', second);
    void admit('third', third);
    await idle();
    expect(settled).toEqual(['first true']);
    registered(first);
    await idle();
    gone(first);
    await idle();
    expect(settled).toEqual(['first true', 'second true']);
    registered(second);
    await idle();
    gone(second);
    await idle();
    expect(settled).toEqual(['first true', 'second true', 'third true']);
  });

  it('do not wait for one whose connection broke before it was served', async () => {
    const { admit, settled } = setUp();
    const [first, second] = [new FakeClient(), new FakeClient()];
    await admit('first', first);
    const done = admit('second', second);
    await idle();
    expect(settled).toEqual(['first true']);
    first.closed = true;
    first.conn.emit('close');
    await done;
    expect(settled).toEqual(['first true', 'second true']);
  });

  it('are not let in, and hold nobody up, when they left while they waited', async () => {
    const { admit, registered, gone, settled } = setUp();
    const [first, second, third] = [new FakeClient(), new FakeClient(), new FakeClient()];
    await admit('first', first);
    const later = Promise.all([admit('second', second), admit('third', third)]);
    second.closed = true;
    registered(first);
    await idle();
    gone(first);
    await later;
    expect(settled).toEqual(['first true', 'second false', 'third true']);
    await Promise.race([once(second.conn, 'never'), idle()]);
    expect(third.closeCount).toBe(0);
  });
});
