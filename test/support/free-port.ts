import { createServer, type ListenOptions } from 'node:net';

/**
 * A TCP port of 127.0.0.1 that is free now, and that is given to nobody else while this process lives: what asks for it is
 * started later. Below the range from which the kernel takes the source ports of outgoing connections: a server that is
 * killed and started again must find its port free.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if ((await isFree(port)) && (await claim(port))) return port;
  }
  throw new Error('no free TCP port between 15000 and 32000');
}

async function isFree(port: number): Promise<boolean> {
  const server = await listening({ host: '127.0.0.1', port });
  if (server === undefined) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/** By a name in the kernel that goes with the process (unix(7), abstract). */
async function claim(port: number): Promise<boolean> {
  return (await listening({ path: `\0sluice-test-port-${port}` })) !== undefined;
}

/** Undefined when somebody else listens there. */
function listening(where: ListenOptions) {
  const server = createServer((socket) => socket.destroy()).unref();
  return new Promise<typeof server | undefined>((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(where, () => resolve(server));
  });
}
