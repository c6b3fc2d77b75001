import { defineConfig } from 'vitest/config';

// Apart from vitest.config.ts: these tests need a cluster, and change it. `npm run test:cluster`
export default defineConfig({
  test: {
    name: 'cluster',
    reporters: ['default', './test/reporter.ts'],
    pool: 'forks',
    passWithNoTests: false,
    globalSetup: './test/cluster/global_setup.ts',
    include: ['test/cluster/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
