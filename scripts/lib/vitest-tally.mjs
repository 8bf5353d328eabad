// Prints "PASSED FAILED" for a JSON report of vitest. What did not run is failed: skipped tests, broken files, no report.
import { readFileSync } from 'node:fs';

function tally(file) {
  const report = JSON.parse(readFileSync(file, 'utf8'));
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = report.numTotalTests - report.numPassedTests + brokenFiles.length;
  return { passed: report.numPassedTests, failed: failed === 0 && !report.success ? 1 : failed };
}

try {
  const { passed, failed } = tally(process.argv[2]);
  console.log(`${passed} ${failed}`);
} catch {
  console.log('0 1');
}
