import { arch, release } from 'node:os';
import { VERSION } from '../platform/version.ts';
import { type Command, EXIT, JSON_OPTION } from './command.ts';

const HELP = `Usage: sluice version [--json]

Prints the version of Sluice, and of what it runs on.
`;

export const version: Command = {
  name: 'version',
  summary: 'print the version',
  help: HELP,
  options: JSON_OPTION,
  maxPositionals: 0,
  async run({ values }, io) {
    const about = { version: VERSION, node: process.version, arch: arch(), kernel: release() };
    io.out(
      values['json'] === true
        ? `${JSON.stringify(about)}\n`
        : `sluice ${about.version} (Node.js ${about.node}, Linux ${about.kernel}, ${about.arch})\n`,
    );
    return EXIT.done;
  },
};
