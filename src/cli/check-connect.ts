import type { Config } from '../config/config.ts';
import { checkUplinks, type UplinkReport } from '../gateway/connect-check.ts';
import { EXIT, type Io } from './command.ts';
import { Daemon } from './daemon.ts';
import { plural, tableLines } from './format.ts';

type Step = UplinkReport['steps'][number];

/** Tries every uplink out and says what was found; resolves with the exit code. */
export async function checkConnections(config: Config, io: Io): Promise<number> {
  const reports: UplinkReport[] = [];
  for await (const report of checkUplinks(config, await gatewayIdOf(config))) {
    reports.push(report);
    io.out(reportText(report));
  }
  const failed = reports.flatMap(failedIn);
  if (reports.length === 0) io.out('no uplinks: records stay local\n');
  else io.out(failed.length === 0 ? 'records can go out\n' : `${plural(failed.length, 'fault')} to mend\n`);
  return failed.length === 0 ? EXIT.done : EXIT.failed;
}

export interface ConnectionDocument {
  readonly ok: boolean;
  readonly uplinks: readonly (UplinkReport & { readonly ok: boolean })[];
}

/** The same for programs. */
export async function connectionDocument(config: Config): Promise<ConnectionDocument> {
  const uplinks: ConnectionDocument['uplinks'][number][] = [];
  for await (const report of checkUplinks(config, await gatewayIdOf(config))) {
    uplinks.push({ ...report, ok: failedIn(report).length === 0 });
  }
  return { ok: uplinks.every(({ ok }) => ok), uplinks };
}

/** A running gateway knows its name; it is asked nothing else. */
async function gatewayIdOf({ gateway }: Config): Promise<string | undefined> {
  if (gateway.id !== undefined) return gateway.id;
  const answer = await new Daemon(gateway.dataDir).ask('GET', '/v1/gateway').catch(() => undefined);
  const body = answer?.body as { readonly id?: unknown } | undefined;
  return typeof body?.id === 'string' ? body.id : undefined;
}

function failedIn({ steps }: UplinkReport): readonly Step[] {
  return steps.filter(({ result }) => result === 'failed');
}

function reportText({ name, type, steps }: UplinkReport): string {
  const lines = tableLines(
    steps.map(({ result, step, target, message }) => [result, step, target, message]),
    { right: [] },
  );
  const text = lines.flatMap((line, index) => {
    const hint = steps[index]?.hint ?? null;
    return hint === null ? [line] : [line, `         → ${hint}`];
  });
  return `${name} (${type})\n${text.map((line) => `  ${line}\n`).join('')}`;
}
