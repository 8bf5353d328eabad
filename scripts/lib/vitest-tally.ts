/**
 * Prints "PASSED FAILED" for a JSON report of vitest, and then a line for each test that did not pass. What did not run
 * is failed: skipped tests, broken files, no report.
 */

import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import process from 'node:process';

interface Report {
  readonly success: boolean;
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly Result[];
  }[];
}

interface Result {
  readonly status: string;
  readonly fullName: string;
  readonly failureMessages?: readonly string[];
}

function tally(file: string): string {
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = report.numTotalTests - report.numPassedTests + brokenFiles.length;
  const counts = `${report.numPassedTests} ${failed === 0 && !report.success ? 1 : failed}`;
  return [counts, ...failures(report)].join('\n');
}

function failures({ testResults }: Report): string[] {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(process.cwd(), name);
    const tests = assertionResults.filter((test) => test.status !== 'passed');
    if (tests.length === 0 && status === 'failed') return [`${file}: ${firstLine(message)}`];
    return tests.map((test) => `${file}: ${test.fullName}: ${firstLine(test.failureMessages?.[0] ?? test.status)}`);
  });
}

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? '').slice(0, 500);
}

function tallyOrFailed(file: string): string {
  try {
    return tally(file);
  } catch {
    return '0 1';
  }
}

process.stdout.write(`${tallyOrFailed(process.argv[2] ?? '')}\n`);
