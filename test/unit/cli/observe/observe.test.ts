/** `sluice observe` of a file: the table, what is asked, and each format. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ObservedFlow, observedFlow } from '../../../../flows/index.ts';
import { temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { edge, NOON_MS } from '../../../builders/observed_flows.ts';
import { schemaProblems } from '../support/schema.ts';
import { runSluice } from '../support/sluice_process.ts';

const DENIED = { outcome: 'deny', reason: 'no-rule' } as const;
const DNS = {
  ...DENIED,
  direction: 'egress',
  protocol: 'UDP',
  port: 53,
  near: [{ policy: 'shop/egress-in-shop', rule: 0, lacks: ['namespace shop wanted'] }],
} as const;

const FLOWS: readonly ObservedFlow[] = [
  edge('ingress-nginx/deploy/controller', 'shop/deploy/web', {
    ...DENIED,
    flows: 312,
    isolating: ['shop/default-deny', 'shop/web-from-ingress'],
    near: [
      { policy: 'shop/web-from-ingress', rule: 0, lacks: ['namespace label', 'port 80 wanted'] },
      { policy: 'monitoring/scrape', rule: 1, lacks: ['namespace monitoring wanted'] },
    ],
    explanation: 'ingress-nginx/controller-x -> shop/web-1 TCP/8080 denied at ingress: isolated by …',
  }),
  edge('shop/deploy/web', 'kube-system/deploy/kube-dns', { ...DNS, flows: 100 }),
  edge('shop/deploy/cart', 'kube-system/deploy/kube-dns', {
    ...DNS,
    flows: 111,
    first: new Date(NOON_MS - 86_400_000).toISOString(),
  }),
  edge('monitoring/sts/prometheus', 'shop/sts/db', {
    ...DENIED,
    outcome: 'cut',
    port: 5432,
    isolating: ['shop/scrape'],
    was: { policy: 'shop/scrape', rule: 0, revision: 3 },
    change: {
      kind: 'NetworkPolicy',
      namespace: 'shop',
      name: 'scrape',
      generation: 4,
      manager: 'kubectl-apply',
      at: '2026-11-30T23:39:42Z',
    },
  }),
  edge('shop/deploy/web', 'shop/deploy/cart', { flows: 48_000, policy: 'shop/back-from-web', rule: 0 }),
  edge('shop/deploy/web', '203.0.113.7', {
    direction: 'egress',
    reason: 'not-isolated',
    port: 443,
    flows: 5,
  }),
];

let path = '';

beforeEach(() => {
  path = join(temporaryDirectory(), 'flows.ndjson');
  writeFileSync(path, FLOWS.map((flow) => `${JSON.stringify(flow)}\n`).join(''));
});

const observe = (...args: string[]) => runSluice(['observe', '-i', path, ...args], '', { TZ: 'UTC' });

/** Rows without the times, which depend on today. */
function rows(stdout: string): readonly string[] {
  return stdout
    .split('\n')
    .map((text) =>
      text.replace(/^(\s*\d+\s+\d+)\s+\S+( \d\d:\d\d)?\s+\S+( \d\d:\d\d)?\s+(?=allowed|denied|cut)/, '$1  '),
    )
    .map((text) => text.replace(/ {2,}/g, '  ').trimStart());
}

test('what was denied, with sources that differ only by name in one row', async () => {
  const { code, stdout, stderr } = await observe('--denied');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(rows(stdout)).toEqual([
    '#  COUNT  FIRST  LAST  VERDICT  FROM  TO  PORT  NEAREST RULE, AND WHAT IT LACKS',
    '1  312  denied  ingress-nginx/controller  shop/web  TCP/8080  web-from-ingress[0]: namespace label, port 80 wanted (and 1 more)',
    '2  211  denied  shop/cart, web  kube-system/kube-dns  UDP/53  egress-in-shop[0]: namespace shop wanted',
    '3  1  cut  monitoring/prometheus  shop/db  TCP/5432  by scrape gen 4 (kubectl-apply, 23:39:42)',
    '3 kinds of flows, 524 in all',
    'observed since 2026-11-29 12:00:00, lost=0',
    '',
  ]);
});

test.each<[string, string[], string[]]>([
  ['a workload', ['--from', 'deploy/web', '--to', 'shop/cart'], ['shop/web -> shop/cart']],
  ['a bare name', ['--to', 'db'], ['monitoring/prometheus -> shop/db']],
  ['a namespace', ['--from', 'monitoring/*'], ['monitoring/prometheus -> shop/db']],
  ['a network', ['--to', '203.0.113.0/24'], ['shop/web -> 203.0.113.7']],
  ['outside', ['--external'], ['shop/web -> 203.0.113.7']],
  ['a port and its protocol', ['--port', '53/udp'], ['shop/cart, web -> kube-system/kube-dns']],
  ['other ports', ['--port', '8080,53,443', '--not', 'port'], ['monitoring/prometheus -> shop/db']],
  ['a verdict', ['--verdict', 'cut'], ['monitoring/prometheus -> shop/db']],
  ['a policy, in its namespace', ['--policy', 'back-from-web', '-n', 'shop'], ['shop/web -> shop/cart']],
  [
    'a policy that came near',
    ['--policy', 'monitoring/netpol/scrape'],
    ['ingress-nginx/controller -> shop/web'],
  ],
  ['a namespace of either end', ['-n', 'kube-system'], ['shop/cart, web -> kube-system/kube-dns']],
  ['a span', ['--until', '2026-11-29T13:00:00Z'], ['shop/cart -> kube-system/kube-dns']],
  ['by destinations', ['--group-by', 'dst', '--to', 'kube-dns'], ['shop/* -> kube-system/deploy/kube-dns']],
])('filters: %s', async (_, args, found) => {
  const { stdout } = await observe('--no-headers', ...args);
  const ends = rows(stdout).flatMap((text) => {
    const [, , , from, to] = text.split('  ');
    return from === undefined || to === undefined ? [] : [`${from} -> ${to}`];
  });
  expect(ends).toEqual(found);
});

test('a cut: what had allowed it, and the change that ended it', async () => {
  const { stdout } = await observe('--verdict', 'cut', '--explain', '1');
  expect(stdout).toContain('  allowed by  shop/scrape ingress[0]\n');
  expect(stdout).toContain('  ended by    shop/scrape gen 4 (kubectl-apply, 23:39:42)\n');
});

test('all of one row, with the command that asks the policies', async () => {
  const { stdout } = await observe('--denied', '--explain', '1');
  expect(stdout).toContain('denied ingress-nginx/controller -> shop/web TCP/8080  (row 1: 312 flows, ');
  expect(stdout).toContain(
    '  sentence   ingress-nginx/controller-x -> shop/web-1 TCP/8080 denied at ingress: isolated by …\n',
  );
  expect(stdout).toContain('  isolating  shop/default-deny, shop/web-from-ingress\n');
  expect(stdout).toContain(
    '  near       shop/web-from-ingress ingress[0]: namespace label, port 80 wanted\n',
  );
  expect(stdout).toContain('  near       monitoring/scrape ingress[1]: namespace monitoring wanted\n');
  expect(stdout).toContain('  the same   sluice can ingress-nginx/deploy/controller shop/deploy/web 8080\n');
  const none = await observe('--denied', '--explain', '9');
  expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('there are 3 rows') });
});

test('JSON and YAML have the form of the schema', async () => {
  const json = await observe('-o', 'json');
  expect(schemaProblems('observe.v1.json', json.stdout)).toEqual([]);
  expect(JSON.parse(json.stdout)).toMatchObject({
    schema: 'sluice.dev/observe/v1',
    lost: [],
    flows: { length: 6 },
  });
  const yaml = await observe('-o', 'yaml');
  expect(parse(yaml.stdout)).toEqual(JSON.parse(json.stdout));
  const few = await observe('-o', 'json', '--limit', '1');
  expect(JSON.parse(few.stdout)).toMatchObject({ flows: { length: 1 }, lost: [{ flows: 529 }] });
});

test('what ndjson writes is read again, and is the same', async () => {
  const { stdout, stderr } = await observe('-o', 'ndjson');
  expect(stderr).toBe('sluice: note: observed since 2026-11-29 12:00:00, lost=0\n');
  for (const text of stdout.trim().split('\n')) expect(observedFlow.check(JSON.parse(text))).toBeUndefined();
  const again = await runSluice(['observe', '-i', '-', '-o', 'ndjson'], stdout, { TZ: 'UTC' });
  expect(again.stdout).toBe(stdout);
});

test('followed, each edge is a line', async () => {
  const { code, stdout } = await observe('-f', '--verdict', 'allow');
  expect(code).toBe(0);
  expect(stdout.split('\n')).toEqual([
    'allowed  12:01:00  shop/web -> shop/cart TCP/8080 x48000  back-from-web[0]',
    'allowed  12:01:00  shop/web -> 203.0.113.7 TCP/443 x5  not isolated',
    '',
  ]);
});

test('where nothing fits, names that are like it are offered', async () => {
  const { code, stdout, stderr } = await observe('--from', 'prometeus');
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: 'sluice: note: no flow is to or from prometeus; did you mean prometheus?\n',
  });
  expect(stdout).toContain('no flows\n');
});

test('names of others never steer a terminal', async () => {
  const evil = edge('shop/deploy/\u001b[2Jweb', 'shop/deploy/a\u202eb', {
    ...DENIED,
    explanation: 'x\u001b]0;y\u0007',
    isolating: ['shop/\u001b[31m'],
  });
  const input = `${JSON.stringify(evil)}\n`;
  for (const args of [[], ['-o', 'wide'], ['--explain', '1'], ['-f'], ['-o', 'yaml']]) {
    const { stdout } = await runSluice(['observe', '-i', '-', ...args], input);
    for (const code of ['\u001b', '\u0007', '\u202e']) expect(stdout).not.toContain(code);
    expect(stdout).toContain('web');
  }
});

test.each<[string[], string]>([
  [['--denied', '--verdict', 'cut'], 'leave one out'],
  [['-f', '-o', 'json'], 'use -o ndjson'],
  [['-f', '--since', '1h'], 'leave --since out'],
  [['--since', 'yesterday'], '--since is'],
  [['--since', '1h', '--until', '2h'], '--since is later than --until'],
  [['--port', 'http'], '--port is'],
  [['--from', 'svc/web'], 'behind the Service'],
  [['--from', 'a/b/c/d'], '--from is'],
  [['--from', 'shop/depoly/web'], 'did you mean deploy'],
  [['--policy', 'x'], 'wants NAMESPACE/NAME'],
  [['--lab', 'x'], '-i and --lab are of different sources'],
  [['--direct'], 'a file has no sidecars'],
  [['--not', 'since'], '--not is'],
  [['web'], "'web' is not expected"],
])('a command line that makes no sense: %j', async (args, message) => {
  const { code, stdout, stderr } = await observe(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(message);
});

test('a broken line is an error with its number', async () => {
  const { code, stderr } = await runSluice(['observe', '-i', '-'], `${JSON.stringify(FLOWS[0])}\n{}\n`);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: expect.stringContaining('standard input, line 2: the flow.src is missing'),
  });
});

test('standard input that never ends is left when the time is over', async () => {
  const { startSluice } = await import('../support/sluice_process.ts');
  const child = startSluice(['observe', '-i', '-', '-f', '--timeout', '1s']);
  const [code] = await new Promise<[number | null]>((resolve) =>
    child.on('exit', (status) => resolve([status])),
  );
  expect(code).toBe(124);
});
