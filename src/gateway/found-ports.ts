import { realpath } from 'node:fs/promises';
import type { FoundSerialPort, OfferedSerialPort, SerialPortView } from '../core/views.ts';
import { findPorts } from '../sources/serial/found-ports.ts';

/** What is plugged in. `configured`: what is known of the configured ports, where a gateway says it. */
export async function offeredPorts(
  configured: readonly Pick<SerialPortView, 'name' | 'path'>[],
): Promise<readonly OfferedSerialPort[]> {
  const nodes = await Promise.all(
    configured.map(async ({ name, path }) => [await realpath(path).catch(() => path), name] as const),
  );
  const names = new Map(nodes);
  // Of a port that a pattern matches, that of the pattern.
  const taken = new Set(configured.map(({ name }) => name.split('/')[0] ?? name));
  return (await findPorts()).map((found) => ({
    ...found,
    port: names.get(found.path) ?? null,
    config: configLine(found, taken),
  }));
}

/** An entry of `serial` in the configuration, one line of YAML, whose name is none of those that are taken; then it is too. */
export function configLine({ path, byId, product, vendorId }: FoundSerialPort, taken: Set<string>): string {
  const name = (product ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  const fallback = vendorId === null ? path.slice(path.lastIndexOf('/') + 1) : `usb-${vendorId}`;
  const unique = uniqueName(name || fallback, taken);
  taken.add(unique);
  return `- { name: ${unique}, path: ${JSON.stringify(byId ?? path)}, baudRate: 115200 }`;
}

/** Equal adapters have equal names. */
function uniqueName(name: string, taken: ReadonlySet<string>): string {
  let unique = name;
  for (let number = 2; taken.has(unique); number += 1) unique = `${name}-${number}`;
  return unique;
}
