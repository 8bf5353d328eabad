import { cpSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { defineConfig } from 'rolldown';

const WORKERS = 'src/gateway';

/** Left as packages: they hold native code, are optional, or are reached into while they are loaded. */
const PACKAGES = [
  '@serialport/bindings-cpp',
  'aedes',
  'aedes-persistence',
  'better-sqlite3',
  'kafkajs',
  'mqtt-packet',
  'node-unix-socket',
  'ws',
  /^@platformatic\//,
];

const workers = readdirSync(WORKERS).filter((file) => file.endsWith('-worker.ts') && file !== 'spawn-worker.ts');

/** The build: one file for each thread and for each part that is loaded when needed. */
export default defineConfig({
  input: {
    main: 'src/main.ts',
    ...Object.fromEntries(workers.map((file) => [basename(file, '.ts'), `${WORKERS}/${file}`])),
  },
  platform: 'node',
  external: PACKAGES,
  plugins: [
    { name: 'web', writeBundle: ({ dir = 'dist' }) => cpSync('src/web', join(dir, 'web'), { recursive: true }) },
  ],
  logLevel: 'warn',
  // A package that is missing would otherwise be noticed when it is first needed, in the field.
  onLog: (level, log, handle) => handle(level === 'warn' ? 'error' : level, log),
  output: { dir: 'dist', format: 'esm', cleanDir: true },
});
