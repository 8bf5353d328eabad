import type { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { GatewayProcess } from '../support/gateway-process.ts';
import { CONNACK, connectPacket, DISCONNECT } from '../support/mqtt-packets.ts';

const TIMEOUT_MS = 60_000;

/** Starts the gateway and resolves with the milliseconds until a client that keeps trying has its CONNACK. */
export async function firstConnackMs(gateway: GatewayProcess): Promise<number> {
  const startedAt = performance.now();
  gateway.launch();
  while (performance.now() - startedAt < TIMEOUT_MS) {
    if (await isAccepted(gateway.mqttPort)) return Math.round(performance.now() - startedAt);
    if (gateway.pid === undefined) throw new Error(`the gateway ended:\n${gateway.logTail()}`);
    await delay(2);
  }
  throw new Error(`no CONNACK within ${TIMEOUT_MS} ms:\n${gateway.logTail()}`);
}

async function isAccepted(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  try {
    await once(socket, 'connect');
    socket.write(connectPacket({ clientId: 'first', clean: true, keepAliveS: 10 }));
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    socket.write(DISCONNECT);
    return chunk[0] === CONNACK << 4 && chunk[3] === 0;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
