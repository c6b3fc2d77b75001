import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import { LongFirst } from './test/long_first.ts';

/**
 * The order of what runs: each group waits for the one before. From 1 on: the group 0 comes last where there is one worker
 * only, as on a machine with two processors, since vitest takes its files for such as ask to run alone.
 */
const FIRST = 1;

/** Nothing that measures time: two files at once, also on a machine with two processors, where vitest would take one. */
const WORKERS = 2;

/** Real packets, tools that are installed, and an image that is built. */
const SIDE_BY_SIDE = FIRST + 1;

/** Many of these wait for half of their time: a third one uses what two leave of two processors. */
const WORKERS_THAT_WAIT = 3;

/** One file at a time, when all others are through: no load shall disturb what measures time. */
const ALONE = SIDE_BY_SIDE + 1;

/**
 * Files that run alone: they assert how fast something happens, how little a load costs, or how much of a rate passes, with
 * bounds that other work on the machine could break. All other files in these folders may run side by side.
 */
const TIMED_NETNS = named('netns', [
  'egress_delays',
  'failing',
  'flood',
  'gate_protocols_flood',
  'kubernetes_delays',
  'live_flows',
  'relay_stalls',
]);

/** By their cases' numbers; see `TIMED_NETNS`. */
const TIMED_FAULTS = named('faults', [
  '01_*',
  '02_*',
  '03_*',
  '05_*',
  '06_*',
  '07_*', // other work on the machine makes buffers and the heap larger
  '10_*_delays',
  '18_*',
  '28_*_rate',
  '31_*',
  '32_*_delays',
]);

/**
 * Suites that run over the direct path too: those that may not differ but where docs/what-an-app-can-notice.md says so. The other files
 * have both paths themselves, or are about what is neither's: `CONTRIBUTING.md` says how to run any of them over it.
 */
const DIRECT = [
  ...named('netns', [
    'closed_ports',
    'conformance',
    'enforcement',
    'gate_lost',
    'hostile_clients',
    'large_groups',
    'node_traffic',
    'services',
    'streams',
  ]),
  ...named('faults', [
    '08_*',
    '11_*',
    '12_*',
    '13_*',
    '14_*',
    '15_*',
    '16_*',
    '20_*',
    '27_*',
    '28_odd_paths',
    '29_*',
  ]),
];

/** Those of them that run alone. */
const TIMED_DIRECT = named('faults', ['01_*', '02_*']);

function named(folder: string, files: readonly string[]): string[] {
  return files.map((file) => `test/${folder}/${file}.test.ts`);
}

/** Each file makes its own network namespaces. */
const NETNS = { include: ['test/netns/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 };

/** What must hold when networks, peers and tenants misbehave; a number for each case. */
const FAULTS = { include: ['test/faults/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 };

/** The same, but that sidecars have another path. */
const OVER_DIRECT = { env: { SLUICE_TEST_PATH: 'direct' }, testTimeout: 120_000, hookTimeout: 120_000 };

/** The dashboard in a browser, which the test installs; the page's own bounds are generous. */
const BROWSER = { include: ['test/browser/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 600_000 };

/** Installs tools, as no other test does, and packages for the image; its bases and the image are made before its tests. */
const IMAGE = { include: ['test/image/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 900_000 };

const sideBySide = (timed: readonly string[]) => ({
  exclude: [...configDefaults.exclude, ...timed],
  sequence: { groupOrder: SIDE_BY_SIDE },
  maxWorkers: WORKERS_THAT_WAIT,
});

const alone = (timed: readonly string[]) => ({
  include: [...timed],
  sequence: { groupOrder: ALONE },
  fileParallelism: false,
});

/** Where Node keeps what it has compiled: programs are started a thousand times, and so start in a quarter of the time. */
const COMPILED = join(import.meta.dirname, 'node_modules/.cache/compiled');

export default defineConfig({
  test: {
    env: { NODE_COMPILE_CACHE: COMPILED },
    reporters: ['default', './test/reporter.ts'],
    pool: 'forks',
    passWithNoTests: false,
    sequence: { sequencer: LongFirst },
    // Of what a test waits for; the default of 1 s is a busy machine's to break.
    expect: { poll: { timeout: 10_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          sequence: { groupOrder: FIRST },
          maxWorkers: WORKERS,
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
          maxWorkers: WORKERS,
          testTimeout: 20_000,
          include: ['test/manifests/**/*.test.ts'],
        },
      },
      { extends: true, test: { name: 'netns', ...NETNS, ...sideBySide(TIMED_NETNS) } },
      { extends: true, test: { name: 'faults', ...FAULTS, ...sideBySide(TIMED_FAULTS) } },
      { extends: true, test: { name: 'direct', include: DIRECT, ...OVER_DIRECT, ...sideBySide([]) } },
      { extends: true, test: { name: 'browser', ...BROWSER, ...sideBySide([]) } },
      { extends: true, test: { name: 'image', ...IMAGE, ...sideBySide([]) } },
      { extends: true, test: { name: 'netns-timed', ...NETNS, ...alone(TIMED_NETNS) } },
      { extends: true, test: { name: 'faults-timed', ...FAULTS, ...alone(TIMED_FAULTS) } },
      { extends: true, test: { name: 'direct-timed', ...OVER_DIRECT, ...alone(TIMED_DIRECT) } },
    ],
  },
});
