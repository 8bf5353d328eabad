import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const VERSION = '4.1.0';
const POM = join(import.meta.dirname, 'kafka', 'pom.xml');

/**
 * The folder with the jars of Apache Kafka, fetched once with Maven into `$SLUICE_TEST_CACHE` or
 * `~/.cache/sluice-test`. Two runs at once do not disturb each other: the folder appears whole or not at all.
 */
export function kafkaJars(): string {
  requireJava();
  const cache = process.env['SLUICE_TEST_CACHE'] || join(homedir(), '.cache', 'sluice-test');
  const jars = join(cache, `kafka-${VERSION}-tools`);
  if (!existsSync(jars)) fetchJars(cache, jars);
  return jars;
}

/**
 * Where Java finds the classes of those jars as they are in memory, once `make-kafka-archive.ts` has put them there: a
 * start takes a third of the time then. Another Java would not take it, and has one of its own.
 */
export function kafkaArchive(jars: string): string {
  const [, java = ''] = /version "([^"]+)"/.exec(requireJava()) ?? [];
  return join(dirname(jars), `kafka-${VERSION}-java-${java}.jsa`);
}

/** What it says of itself. */
function requireJava(): string {
  return requireTool('java', ['-version'], 'Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless)');
}

function fetchJars(cache: string, jars: string): void {
  requireTool('mvn', ['--version'], 'Maven (Debian: apt-get install maven)');
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, '.kafka-'));
  process.stderr.write(`fetching Apache Kafka ${VERSION} into ${jars} (once, about half a minute)\n`);
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${fresh}`];
  const run = spawnSync('mvn', ['-q', '-B', '-f', POM, ...goal], { encoding: 'utf8' });
  if (run.status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    throw new Error(`Maven could not fetch Apache Kafka ${VERSION}:\n${run.stdout}${run.stderr}`);
  }
  try {
    renameSync(fresh, jars);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(jars)) throw error;
  }
}

function requireTool(command: string, args: readonly string[], what: string): string {
  const run = spawnSync(command, [...args], { encoding: 'utf8' });
  if (run.error !== undefined || run.status !== 0) throw new Error(`'${command}' does not run: please install ${what}`);
  return run.stdout + run.stderr;
}
