import process from 'node:process';

/** better-sqlite3 crashes the process where Node-API 10 is missing, so nothing is loaded before this is known. */
const NODE_API = 10;
const NODE = 24;

function whyNotHere(): string | undefined {
  const { napi, node } = process.versions;
  if (Number(napi) >= NODE_API && Number.parseInt(node, 10) >= NODE) return undefined;
  return `sluice needs Node.js ${NODE}, and this is ${node}; run scripts/sluice, which finds the right one (scripts/start installs it)`;
}

async function main(): Promise<number> {
  const reason = whyNotHere();
  if (reason !== undefined) {
    process.stderr.write(`${reason}\n`);
    return 1;
  }
  const { runCli } = await import('./cli/cli.ts');
  return await runCli(process.argv.slice(2), {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    env: process.env,
  });
}

// Whoever reads the output may leave early: sluice device list | head
process.stdout.on('error', () => process.exit(1));
process.exit(await main());
