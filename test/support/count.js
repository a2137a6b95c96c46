// Prints what vitest's JSON report counted as one plain line, and fails when that is not a success.
import { readFileSync } from 'node:fs';

const text = readFileSync(process.argv[2], 'utf8');
if (text === '') throw new Error('vitest wrote no report');
const report = JSON.parse(text);
// A file that fails before its first test has none to count: it counts as one.
const files = report.testResults.filter(
  (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
);
const failed = report.numFailedTests + files.length;
const skipped = report.numPendingTests + report.numTodoTests;
console.log(`${report.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
if (!report.success || failed > 0 || report.numPassedTests === 0) process.exitCode = 1;
