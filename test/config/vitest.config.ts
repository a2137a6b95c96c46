import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };

// `npm test` leaves out test/slow; `npm run test:slow` (mode slow) runs it, and the properties with more cases.
export default defineConfig(({ mode }) => ({
  root,
  // What src/build.js puts into the bundle.
  define: { __VERSION__: JSON.stringify(version) },
  test: {
    include: mode === 'slow' ? ['test/slow/**/*.test.ts', 'test/**/*.property.test.ts'] : ['test/**/*.test.ts'],
    exclude: mode === 'slow' ? [] : ['test/slow/**'],
    env: { IMGGEN_TEST_MODE: mode },
    pool: 'forks',
    // Most of a test's time is spent in the processes that it starts.
    maxWorkers: 2,
    // Test files share loaded modules: importing them anew took a quarter of the processor time.
    isolate: false,
    // Generous: a loaded machine is ten times slower than an idle one. What hangs is found all the same.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    restoreMocks: true,
    unstubEnvs: true,
  },
}));
