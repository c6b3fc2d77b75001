import { defineConfig } from 'vitest/config';

/**
 * Which files run first. From 1 on: the group 0 comes last where there is one worker only, as on a machine with two
 * processors, since vitest takes its files for such as ask to run alone.
 */
const FIRST = 1;

/** After the others: timings are taken here. */
const LAST = FIRST + 1;

export default defineConfig({
  test: {
    reporters: ['default', './test/reporter.ts'],
    pool: 'forks',
    passWithNoTests: false,
    // Of what a test waits for; the default of 1 s is a busy machine's to break.
    expect: { poll: { timeout: 10_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          sequence: { groupOrder: FIRST },
          testTimeout: 20_000,
          include: ['test/unit/**/*.test.ts', 'test/conformance/**/*.test.ts', 'test/docs/**/*.test.ts'],
        },
      },
      {
        extends: true,
        // Rendered by kubectl and helm, of scripts/kube_tools.sh.
        test: {
          name: 'manifests',
          sequence: { groupOrder: FIRST },
          testTimeout: 20_000,
          include: ['test/manifests/**/*.test.ts'],
        },
      },
      {
        extends: true,
        // Real packets: each file makes its own network namespaces; one file at a time, so that timings are honest.
        test: {
          name: 'netns',
          sequence: { groupOrder: LAST },
          include: ['test/netns/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        // What must hold when networks, peers and tenants misbehave; one file a case. As `netns`.
        test: {
          name: 'faults',
          sequence: { groupOrder: LAST },
          include: ['test/faults/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
