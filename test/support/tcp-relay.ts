import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A relay in front of a server that can misbehave the way networks do. Loopback only. */
export interface TcpRelay {
  readonly port: number;
  /** Bytes stop in both directions, nothing is closed, new connections are taken and lead nowhere. */
  freeze(): void;
  /** Goes on where it stopped: what was held back arrives late. */
  thaw(): void;
  /** Forgets all connections without a word to either side, as a router that was replaced does, and relays new ones. */
  blackhole(): void;
  /** Cuts every connection with RST. */
  reset(): void;
  /** Stops listening: new connections are refused, existing ones are cut. */
  refuse(): Promise<void>;
  /** Listens again, on the same port. */
  accept(): Promise<void>;
  /** Connections relayed at this moment. */
  connectionCount(): number;
  /** Frees everything. */
  close(): Promise<void>;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

/** Relays `127.0.0.1:{port}` (a free one when none is given) to `127.0.0.1:{targetPort}`. */
export async function startTcpRelay(targetPort: number, listenPort = 0): Promise<TcpRelay> {
  const links = new Set<Link>();
  const lost = new Set<Socket>();
  let frozen = false;

  const relay = (client: Socket): void => {
    const server = connect({ host: '127.0.0.1', port: targetPort });
    const link = { client, server };
    links.add(link);
    join(link, { isFrozen: () => frozen, onEnd: () => links.delete(link) });
    if (frozen) hold(link);
  };
  const server: Server = createServer({ noDelay: true }, relay);
  server.listen(listenPort, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const cut = (): void => {
    for (const { client, server: upstream } of links) {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
    for (const socket of lost) socket.destroy();
    lost.clear();
  };
  const refuse = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    cut();
    await once(server, 'close');
  };

  return {
    port,
    freeze: () => {
      frozen = true;
      for (const link of links) hold(link);
    },
    thaw: () => {
      frozen = false;
      for (const { client, server: upstream } of links) {
        client.resume();
        upstream.resume();
      }
    },
    blackhole: () => {
      frozen = false;
      for (const { client, server: upstream } of links) {
        client.removeAllListeners().pause();
        client.on('error', () => client.destroy());
        upstream.removeAllListeners().on('error', () => upstream.destroy());
        upstream.destroy();
        lost.add(client);
      }
      links.clear();
    },
    reset: cut,
    refuse,
    accept: async () => {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    connectionCount: () => links.size,
    close: async () => {
      cut();
      await refuse();
    },
  };
}

function hold({ client, server }: Link): void {
  client.pause();
  server.pause();
}

interface Joint {
  isFrozen(): boolean;
  onEnd(): void;
}

function join({ client, server }: Link, { isFrozen, onEnd }: Joint): void {
  const end = (): void => {
    client.destroy();
    server.destroy();
    onEnd();
  };
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.on('data', (chunk: Buffer) => {
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => {
      if (!isFrozen()) from.resume();
    });
    from.on('end', () => to.end());
    from.on('error', end);
    from.on('close', end);
  }
}
