// Prints the sum of vitest's JSON reports as one plain line, and fails when that is not a success.
import { readFileSync } from 'node:fs';

const sums = { passed: 0, failed: 0, skipped: 0 };
for (const name of process.argv.slice(2)) {
  const report = JSON.parse(readFileSync(name, 'utf8'));
  // A file that fails before its first test has none to count: it counts as one.
  const files = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  sums.passed += report.numPassedTests;
  sums.failed += report.numFailedTests + files.length;
  sums.skipped += report.numPendingTests + report.numTodoTests;
  if (!report.success || report.numPassedTests === 0) process.exitCode = 1;
}
console.log(`${sums.passed} passed, ${sums.failed} failed${sums.skipped > 0 ? `, ${sums.skipped} skipped` : ''}`);
if (sums.failed > 0 || sums.passed === 0) process.exitCode = 1;
