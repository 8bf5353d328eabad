/** Prints "PASSED FAILED" for a JSON report of vitest. What did not run is failed: skipped tests, broken files, no report. */

import { readFileSync } from 'node:fs';
import process from 'node:process';

interface Report {
  readonly success: boolean;
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

function tally(file: string): string {
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = report.numTotalTests - report.numPassedTests + brokenFiles.length;
  return `${report.numPassedTests} ${failed === 0 && !report.success ? 1 : failed}`;
}

function tallyOrFailed(file: string): string {
  try {
    return tally(file);
  } catch {
    return '0 1';
  }
}

process.stdout.write(`${tallyOrFailed(process.argv[2] ?? '')}\n`);
