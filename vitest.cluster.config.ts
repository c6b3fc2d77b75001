import { defineConfig } from 'vitest/config';

// Apart from vitest.config.ts: these tests need a cluster, and change it. `npm run test:cluster`
const API_SERVER = 'test/cluster/*.test.ts';
/** These install Sluice, with the image that SLUICE_TEST_IMAGE names, on nodes that run pods. */
const PODS = 'test/cluster/pods/*.test.ts';

export default defineConfig({
  test: {
    name: 'cluster',
    reporters: ['default', './test/reporter.ts'],
    pool: 'forks',
    passWithNoTests: false,
    globalSetup: './test/cluster/global_setup.ts',
    include: process.env.SLUICE_TEST_IMAGE === undefined ? [API_SERVER] : [API_SERVER, PODS],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
