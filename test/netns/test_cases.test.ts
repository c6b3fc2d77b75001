/** `sluice test --lab`: cases are tried with real packets, and the engine has to say the same. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runTool } from '../../common/run_tool.ts';
import { inNetns } from '../../lab/index.ts';
import { namespace, node, pod, policy, service } from '../builders/manifests.ts';
import { schemaProblems } from '../unit/cli/support/schema.ts';
import { useLab } from './harness.ts';
import { sluice } from './sluice_command.ts';

const OUTSIDE = '203.0.113.9';

const net = useLab({
  external: [OUTSIDE],
  objects: [
    node(1),
    node(2),
    namespace('t'),
    pod('t/web', { labels: { app: 'web' }, ips: ['10.1.1.20', 'fd00:1::20'], node: 1 }),
    pod('t/bad', { labels: { app: 'bad' }, ips: ['10.1.2.21', 'fd00:1::21'], node: 2 }),
    pod('t/db', {
      labels: { app: 'db', tier: 'data' },
      ips: ['10.1.1.10', 'fd00:1::10'],
      ports: [6379, 'UDP/53'],
      node: 1,
    }),
    pod('t/open', {
      labels: { app: 'open', tier: 'data' },
      ips: ['10.1.2.12', 'fd00:1::12'],
      ports: [6379],
      node: 2,
    }),
    pod('t/four', { labels: { app: 'four' }, ips: ['10.1.2.13', 'fd00:1::13'], ports: [80], node: 2 }),
    service('t/db', {
      ips: ['10.97.7.7'],
      ports: ['80:6379'],
      more: { selector: { app: 'db' }, externalIPs: ['198.51.100.80'] },
    }),
    service('t/data', { ips: ['10.97.7.8'], ports: ['80:6379'], more: { selector: { tier: 'data' } } }),
    policy('t/db', {
      podSelector: { matchLabels: { app: 'db' } },
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { app: 'web' } } }],
          ports: [
            { port: 6379 },
            { port: 53, protocol: 'UDP' },
            { port: 7000 },
            { port: 7001, protocol: 'UDP' },
          ],
        },
      ],
    }),
    policy('t/four', {
      podSelector: { matchLabels: { app: 'four' } },
      ingress: [{ from: [{ ipBlock: { cidr: '10.1.0.0/16' } }] }],
    }),
    policy('t/bad-egress', {
      podSelector: { matchLabels: { app: 'bad' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ podSelector: {} }] }],
    }),
  ],
});

interface CaseJson {
  readonly result: string;
  readonly message: string;
  readonly got?: string;
  readonly packets?: {
    readonly verdict: string;
    readonly engine: string;
    readonly probes: readonly unknown[];
  };
}

type ShortCase = readonly [from: string, to: string, expected: string];

function writeCases(cases: readonly ShortCase[]): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-cases-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'cases.json');
  const tests = cases.map(([from, to, expected]) => ({ from, to, expect: expected }));
  writeFileSync(file, JSON.stringify({ namespace: 't', tests }));
  return file;
}

/** The outcome, as JSON that has the form of its schema. */
async function run(...cases: readonly ShortCase[]) {
  const args = ['test', '-f', writeCases(cases), '--lab', net.lab.name, '-o', 'json'];
  const { code, stdout, stderr } = await sluice(args);
  expect(stderr).toBe('');
  expect(schemaProblems('test.v1.json', stdout)).toEqual([]);
  const parsed: { readonly by: string; readonly lab: string; readonly cases: readonly CaseJson[] } =
    JSON.parse(stdout);
  expect(parsed).toMatchObject({ by: 'packets', lab: net.lab.name });
  return { code, cases: parsed.cases };
}

test('TCP and UDP, Services, ports without a listener, and what is outside: packets and the engine agree', async () => {
  const { code, cases } = await run(
    ['web', 'db:6379', 'allow'],
    ['web', 'db:53/UDP', 'allow'],
    ['bad', 'db:6379', 'deny'],
    ['bad', 'db:53/UDP', 'deny'],
    ['web', 'db:7000', 'allow'],
    ['web', 'db:7001/UDP', 'allow'],
    ['web', 'db:7002', 'deny'],
    ['web', 'db:7002/UDP', 'deny'],
    ['web', 'svc/db:80', 'allow'],
    ['bad', '10.97.7.7:80', 'deny'],
    ['web', 'svc/data:80', 'allow'],
    ['internet', 'db:6379', 'deny'],
    ['internet', 'open:6379', 'allow'],
    ['web', 'internet:443', 'allow'],
    ['web', `${OUTSIDE}:53/UDP`, 'allow'],
    ['bad', 'internet:443', 'deny'],
  );
  expect(cases.filter(({ result }) => result !== 'pass')).toEqual([]);
  expect(code).toBe(0);
  // Each family that both have, and a Service's address besides its backends.
  expect(cases[0]?.packets?.probes).toHaveLength(2);
  expect(cases[8]?.packets?.probes).toHaveLength(2);
});

test('a Service of which some backends are reached is neither allowed nor denied', async () => {
  // The source's egress policy allows both backends; one of them does not let it in.
  const { code, cases } = await run(['bad', 'svc/data:80', 'allow'], ['bad', 'svc/data:80', 'deny']);
  expect(cases.map(({ message }) => message)).toEqual([
    'wanted allow, got partly',
    'wanted deny, got partly',
  ]);
  expect(code).toBe(1);
});

test('a pod that is reached by one address family only is neither allowed nor denied', async () => {
  const { cases } = await run(['web', 'four:80', 'allow'], ['web', '10.1.2.13:80', 'allow']);
  expect(cases).toMatchObject([
    { message: 'wanted allow, got partly', packets: { verdict: 'partly', engine: 'partly' } },
    { message: 'allow' },
  ]);
});

test('a case that packets do not confirm fails, with each connection', async () => {
  const { code, cases } = await run(['bad', 'db:6379', 'allow'], ['web', 'db:6379', 'deny']);
  expect(cases).toMatchObject([
    { result: 'fail', message: 'wanted allow, got deny', packets: { verdict: 'deny', engine: 'deny' } },
    { result: 'fail', message: 'wanted deny, got allow', packets: { verdict: 'allow', engine: 'allow' } },
  ]);
  expect(code).toBe(1);
});

test('what a lab cannot try is not judged', async () => {
  const { code, cases } = await run(
    ['web', 'db:6379/SCTP', 'deny'],
    ['198.51.100.0/24', 'db:6379', 'deny'],
    ['198.51.100.7', 'db:6379', 'deny'],
    ['web', '198.51.100.80:80', 'allow'],
  );
  expect(cases.map(({ result, message }) => `${result} ${message}`)).toEqual([
    'error not judged: a lab has no SCTP: judge this case by the engine, with -f',
    expect.stringContaining('the lab has no address of 198.51.100.0/24 outside'),
    expect.stringContaining('the lab has no 198.51.100.7'),
    expect.stringContaining('a lab serves Services at their cluster addresses'),
  ]);
  expect(code).toBe(2);
});

test('a command that is given up leaves no process behind', async () => {
  const file = writeCases([
    ['bad', 'db:7002', 'deny'],
    ['bad', 'web:7002', 'allow'],
  ]);
  const lab = ['--lab', net.lab.name];
  // A denied connection waits for three seconds.
  expect(await sluice(['test', '-f', file, ...lab, '--timeout', '2500ms'])).toMatchObject({ code: 124 });
  await expect.poll(agents).toEqual([]);
});

/** Processes of this command in the lab's namespaces. */
async function agents(): Promise<readonly string[]> {
  const found = await Promise.all(
    net.lab.topology.pods.map(({ netns }) => runTool(['ip', 'netns', 'pids', netns], { timeMs: 10_000 })),
  );
  const pids = found.flatMap(({ stdout }) => stdout.split('\n')).filter((pid) => pid !== '');
  return pids.map(commandOf).filter((command) => command.includes('client_agent'));
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

test('where packets and the engine differ, no expectation is met', async () => {
  const inDb = (...argv: readonly string[]) =>
    runTool(inNetns(net.lab.netns('t/db'), argv), { timeMs: 10_000 });
  await net.lab.stopProcess('t/db', 'sidecar');
  for (const table of ['sluice', 'sluice_guard']) await inDb('nft', 'delete', 'table', 'inet', table);
  for (const tool of ['iptables', 'ip6tables']) await inDb(tool, '-t', 'mangle', '-F');
  const { code, cases } = await run(['bad', 'db:6379', 'deny'], ['bad', 'db:6379', 'allow']);
  expect(cases.map(({ message }) => message)).toEqual([
    'wanted deny, packets got allow, and the engine says deny',
    'wanted allow, packets got allow, and the engine says deny',
  ]);
  expect(code).toBe(1);
});
