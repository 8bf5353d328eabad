import { existsSync } from 'node:fs';
import { loadConfig } from '../config/load.ts';
import { SluiceError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import {
  CONFIG_OPTION,
  type Command,
  DEFAULT_CONFIG,
  EXIT,
  type Input,
  type Io,
  JSON_OPTION,
  textOf,
  UsageError,
} from './command.ts';
import { Daemon } from './daemon.ts';
import { tableLines } from './format.ts';
import { LISTEN_OPTIONS, listenTo } from './serial-listen.ts';

const HELP = `Usage: sluice serial list [--config FILE] [--json]
       sluice serial listen PATH [--baud N] [--framing F] [--format F] [--options TEXT] [--count N] [--json]

list shows the serial ports of this machine, which of them the running gateway reads, and a line of configuration for
each.

listen opens a port and shows what comes, frame by frame, and what it would become, to find the right settings. Nothing
is stored, nothing written to the port. A port that the gateway has open must be taken out of its configuration first.

  --baud N         speed of the line, default 115200
  --framing F      how frames are told from each other, default lines
  --format F       how payloads are written, default json
  --options TEXT   anything else that serial has in the configuration: 'framing: { type: cobs, check: crc8 }, parity: even'
  --count N        ends after so many frames, bad ones included; else when the port is gone, or by Ctrl-C
  --config FILE    the gateway's configuration, default /etc/sluice/sluice.yaml
  --json           for programs; listen writes a line for each frame
`;

/** The part of `GET /v1/serial/ports` that is shown. */
interface PortsDocument {
  readonly ports: readonly {
    readonly name: string;
    readonly path: string;
    readonly state: string;
    readonly reason: string | null;
    readonly units: readonly {
      readonly unit_id: number;
      readonly device: string | null;
      readonly reason: string | null;
    }[];
  }[];
  readonly found: readonly FoundDocument[];
}

interface FoundDocument {
  readonly path: string;
  readonly by_id: string | null;
  readonly vendor_id: string | null;
  readonly product_id: string | null;
  readonly vendor: string | null;
  readonly product: string | null;
  readonly serial_number: string | null;
  readonly port: string | null;
  readonly config: string;
}

export const serial: Command = {
  name: 'serial',
  summary: 'show serial ports, listen to one: list, listen',
  help: HELP,
  options: { ...CONFIG_OPTION, ...JSON_OPTION, ...LISTEN_OPTIONS },
  maxPositionals: 2,
  async run(input, io) {
    const [name, path] = input.positionals;
    if (name === 'list') return await list(input, path, io);
    if (name !== 'listen') throw new UsageError('serial needs to know what to do: list or listen');
    if (path === undefined) throw new UsageError('serial listen needs the PATH of a port');
    return await listenTo(path, input, io);
  },
};

async function list(input: Input, extra: string | undefined, io: Io): Promise<number> {
  if (extra !== undefined) throw new UsageError(`unexpected argument ${printable(extra)}`);
  const file = textOf(input, 'config');
  // Ports are looked at before there is a configuration: it is what this command helps to write.
  const isUnconfigured = file === DEFAULT_CONFIG && !existsSync(file);
  const document = isUnconfigured
    ? await pluggedIn()
    : await portsOf(loadConfig({ file, env: io.env }).config.gateway.dataDir);
  io.out(input.values['json'] === true ? `${JSON.stringify(document)}\n` : page(document));
  return EXIT.done;
}

/** Of the running gateway; without one only what is plugged in is known. */
async function portsOf(dataDir: string): Promise<PortsDocument> {
  try {
    return (await new Daemon(dataDir).ask('GET', '/v1/serial/ports')).body as PortsDocument;
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== 'not_running') throw error;
  }
  return await pluggedIn();
}

async function pluggedIn(): Promise<PortsDocument> {
  const { offeredPorts } = await import('../gateway/found-ports.ts');
  const found = (await offeredPorts([])).map((port) => ({
    path: port.path,
    by_id: port.byId,
    vendor_id: port.vendorId,
    product_id: port.productId,
    vendor: port.vendor,
    product: port.product,
    serial_number: port.serialNumber,
    port: port.port,
    config: port.config,
  }));
  return { ports: [], found };
}

function page({ ports, found }: PortsDocument): string {
  return `${foundText(found)}${portsText(ports)}${unitsText(ports)}`;
}

function foundText(found: PortsDocument['found']): string {
  if (found.length === 0) return 'No serial port is plugged in.\n';
  const rows = found.map((port) =>
    [port.path, port.port ?? '-', nameOf(port), port.by_id ?? '-'].map((cell) => printable(cell, 200)),
  );
  const table = tableLines([['path', 'read as', 'vendor, product', 'by id'], ...rows], { right: [] });
  const free = found.filter(({ port }) => port === null).map(({ config }) => `  ${printable(config, 400)}\n`);
  const offer = free.length === 0 ? '' : `\nTo read one, below serial: in the configuration:\n\n${free.join('')}`;
  return `${table.join('\n')}\n${offer}`;
}

function nameOf({ vendor_id, product_id, vendor, product, serial_number }: FoundDocument): string {
  if (vendor_id === null) return '-';
  const names = [vendor, product, serial_number].filter((name) => name !== null).join(' ');
  return `${vendor_id}:${product_id ?? '?'} ${names}`.trim();
}

function portsText(ports: PortsDocument['ports']): string {
  const shut = ports.filter(({ state }) => state !== 'open');
  if (shut.length === 0) return '';
  const lines = shut.map(({ name, path, state, reason }) => {
    return `  ${printable(name, 100)}, ${printable(path, 200)}: ${reason === null ? state : printable(reason, 400)}\n`;
  });
  return `\nConfigured, and not open:\n\n${lines.join('')}`;
}

function unitsText(ports: PortsDocument['ports']): string {
  const lines = ports.flatMap(({ name, units }) =>
    units
      .filter(({ reason }) => reason !== null)
      .map(
        ({ unit_id, device, reason }) =>
          `  ${printable(`${name}, unit ${unit_id}, ${device ?? '-'}: ${reason}`, 400)}\n`,
      ),
  );
  return lines.length === 0 ? '' : `\nModbus units that do not say all that they are asked:\n\n${lines.join('')}`;
}
