import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { SluiceError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { CONFIG_OPTION, type Command, EXIT, type Io, JSON_OPTION, textOf } from './command.ts';

const HELP = `Usage: sluice doctor [--repair] [--export FILE] [--config FILE] [--json]

Looks at the files of the store from their beginning to their end and says what is wrong with them. It changes nothing
and may be run beside a running gateway. Exit code 0 when they are whole, 1 when something must be repaired.

  --repair        does what a start does with damaged files: sets them aside and puts back what can be read; only while
                  no gateway runs
  --export FILE   writes every record that can be read into a new file, one line of JSON each, before anything is repaired
  --config FILE   the gateway's configuration, default /etc/sluice/sluice.yaml
  --json          {"dataDir","whole","findings","records","exported","repairs"}
`;

interface Report {
  readonly dataDir: string;
  readonly whole: boolean;
  readonly findings: readonly { readonly file: string; readonly kind: string; readonly text: string }[];
  readonly records: Readonly<Record<string, number>>;
  readonly exported: number | null;
  readonly repairs: readonly string[] | null;
}

export const doctor: Command = {
  name: 'doctor',
  summary: 'look at the files of the store, repair and export them',
  help: HELP,
  options: {
    ...CONFIG_OPTION,
    ...JSON_OPTION,
    repair: { type: 'boolean', default: false },
    export: { type: 'string' },
  },
  maxPositionals: 0,
  async run(input, io) {
    const { config } = loadConfig({ file: textOf(input, 'config'), env: io.env });
    const { dataDir } = config.gateway;
    if (!isThere(join(dataDir, 'log.db')) && !isThere(join(dataDir, 'state.db'))) {
      const hint = 'is gateway.dataDir the right one? A gateway that never ran has none';
      throw new SluiceError(`there is no store in ${dataDir}`, { code: 'no_store', hint });
    }
    const target = typeof input.values['export'] === 'string' ? input.values['export'] : undefined;
    const report = await examineAndTreat(config, { repair: input.values['repair'] === true, target });
    if (input.values['json'] === true) io.out(`${JSON.stringify(report)}\n`);
    else tell(report, target, io);
    return report.whole || report.repairs !== null ? EXIT.done : EXIT.failed;
  },
};

/** @throws SluiceError `data_dir_unusable` where nobody can tell */
function isThere(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (cause) {
    const hint = 'run this as the user that the gateway runs as, or as root';
    throw new SluiceError(`cannot look for ${file}`, { code: 'data_dir_unusable', hint, cause });
  }
}

async function examineAndTreat(config: Config, how: { repair: boolean; target: string | undefined }): Promise<Report> {
  // Loaded late: the other commands need nothing native.
  const { examine, exportRecords, repair } = await import('../gateway/doctor.ts');
  const examination = examine(config);
  const exported = how.target === undefined ? null : exportRecords(config, how.target);
  const repairs = how.repair ? await repair(config, examination) : null;
  const { findings, records } = examination;
  const whole = findings.every(({ kind }) => kind === 'good' || kind === 'note');
  return { dataDir: config.gateway.dataDir, whole, findings, records, exported, repairs };
}

function tell({ whole, findings, records, exported, repairs }: Report, target: string | undefined, io: Io): void {
  for (const { file, text } of findings) io.out(`${printable(file, 500)}: ${printable(text, 500)}\n`);
  const counts = Object.entries(records).filter(([, count]) => count > 0);
  if (counts.length > 0) io.out(`Records: ${counts.map(([stream, count]) => `${count} ${stream}`).join(', ')}.\n`);
  if (exported !== null) io.out(`${exported} records are in ${printable(target ?? '', 500)}.\n`);
  for (const line of repairs ?? []) io.out(`Repaired: ${printable(line, 1000)}.\n`);
  if (repairs?.length === 0) io.out('There was nothing to repair.\n');
  if (repairs !== null) return;
  io.out(
    whole ? 'The store is whole.\n' : 'The next start repairs that, or sluice doctor --repair while no gateway runs.\n',
  );
}
