import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default', './test/reporter.ts'],
    pool: 'forks',
    passWithNoTests: false,
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          sequence: { groupOrder: 0 },
          testTimeout: 20_000,
          include: ['test/unit/**/*.test.ts', 'test/conformance/**/*.test.ts', 'test/docs/**/*.test.ts'],
        },
      },
      {
        extends: true,
        // Rendered by kubectl and helm, of scripts/kube_tools.sh.
        test: {
          name: 'manifests',
          sequence: { groupOrder: 0 },
          testTimeout: 20_000,
          include: ['test/manifests/**/*.test.ts'],
        },
      },
      {
        extends: true,
        // Real packets: each file makes its own network namespaces; one file at a time, so that timings are honest.
        test: {
          name: 'netns',
          sequence: { groupOrder: 1 }, // after the others: timings are taken here
          include: ['test/netns/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
