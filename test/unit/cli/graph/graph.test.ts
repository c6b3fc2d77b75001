/** Who reaches whom, in each format, near a focus and within bounds. */
import { expect, test } from 'vitest';
import { deployment, manifestDirectory, pod } from '../../../builders/cli_manifests.ts';
import { type Manifest, namespace, policy } from '../../../builders/manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

const select = (app: string) => ({ podSelector: { matchLabels: { app } } });

/** `web` -> `cart` -> `db`, each by a policy; the internet reaches `web`; `db` may be reached by `backup`, which is not there. */
function shop(...more: readonly Manifest[]): string {
  return manifestDirectory(
    namespace('shop'),
    ...['web', 'cart', 'db'].map((app) =>
      deployment(`shop/${app}`, { app }, [{ name: 'main', containerPort: 8080 }]),
    ),
    policy('shop/default-deny', { podSelector: {}, policyTypes: ['Ingress'] }),
    policy('shop/web', {
      ...select('web'),
      ingress: [
        { from: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }], ports: [{ port: 443 }] },
      ],
    }),
    policy('shop/cart', {
      ...select('cart'),
      ingress: [{ from: [select('web')], ports: [{ port: 'main' }] }],
    }),
    policy('shop/db', {
      ...select('db'),
      ingress: [{ from: [select('cart'), select('backup')], ports: [{ port: 5432 }] }],
    }),
    ...more,
  );
}

async function graph(dir: string, ...args: readonly string[]) {
  return await runSluice(['graph', ...args, '-f', dir]);
}

test('text is a row for each connection, and says who is not isolated', async () => {
  expect(await graph(shop())).toEqual({
    code: 0,
    stderr: '',
    stdout: [
      'shop/deploy/web -> shop/deploy/cart               TCP/8080  shop/cart ingress[0]',
      'shop/deploy/cart -> shop/deploy/db                TCP/5432  shop/db ingress[0]',
      '0.0.0.0/0 (except 10.0.0.0/8) -> shop/deploy/web  TCP/443   shop/web ingress[0]',
      '= 3 connections; egress is open for all',
      '',
    ].join('\n'),
  });
});

/** Six workloads and everybody outside reach `redis`. */
function openRedis(...more: readonly Manifest[]): string {
  return manifestDirectory(
    namespace('shop'),
    ...['a', 'b', 'c', 'd', 'e', 'redis'].map((app) => deployment(`shop/${app}`, { app })),
    deployment('other/one', { app: 'one' }),
    policy('shop/redis', { ...select('redis'), ingress: [{ ports: [{ port: 6379 }] }] }),
    policy('shop/e', { ...select('e'), policyTypes: ['Egress'] }),
    ...more,
  );
}

test('who comes from outside stands first and is never a number', async () => {
  const row = (stdout: string) => stdout.split('\n').find((line) => line.includes('-> shop/deploy/redis'));
  const { stdout } = await graph(openRedis(), '--exposure', '--focus', 'redis');
  expect(row(stdout)).toMatch(
    /^external, any pod of other namespaces, other\/deploy\/one, shop\/deploy\/a, shop\/deploy\/b and 3 more -> /,
  );
  const wide = await graph(openRedis(), '--exposure', '--focus', 'redis', '-o', 'wide');
  expect(row(wide.stdout)).toMatch(
    /^external, any pod of other namespaces, other\/deploy\/one, shop\/deploy\/a, shop\/deploy\/b, shop\/deploy\/c, shop\/deploy\/d, shop\/deploy\/redis -> /,
  );
});

test('a list that would leave one out names it', async () => {
  const closed = ['c', 'd'].map((app) => policy(`shop/${app}`, { ...select(app), policyTypes: ['Egress'] }));
  const { stdout } = await graph(openRedis(...closed), '--focus', 'redis');
  expect(stdout).toContain(
    'external, other/deploy/one, shop/deploy/a, shop/deploy/b, shop/deploy/redis -> shop/deploy/redis',
  );
});

test('exceptions stand in brackets, and networks that fill them are one with those around', async () => {
  const egress = (cidr: string, port: number, ...except: readonly string[]) =>
    policy(`shop/out-${port}`, {
      ...select('web'),
      egress: [{ to: [{ ipBlock: { cidr, except } }], ports: [{ port }] }],
    });
  const dir = shop(
    egress('0.0.0.0/0', 443),
    egress('10.0.0.0/28', 6443),
    egress('0.0.0.0/0', 80, '10.0.0.0/28', '192.0.2.0/24'),
  );
  const { stdout } = await graph(dir, '--no-headers', '--focus', 'web');
  expect(stdout.split('\n').filter((line) => line.includes('web -> '))).toEqual([
    expect.stringMatching(
      /web -> 0\.0\.0\.0\/0 \(except 10\.0\.0\.0\/28, 192\.0\.2\.0\/24\) +TCP\/80, TCP\/443 /,
    ),
    expect.stringMatching(/web -> 10\.0\.0\.0\/28 +TCP\/443, TCP\/6443 /),
    expect.stringMatching(/web -> 192\.0\.2\.0\/24 +TCP\/443 /),
  ]);
});

test('mermaid', async () => {
  const { stdout } = await graph(shop(), '-o', 'mermaid');
  expect(stdout).toBe(
    [
      'flowchart LR',
      '  subgraph s0["shop"]',
      '    n0["deploy/web"]',
      '    n1["deploy/cart"]',
      '    n2["deploy/db"]',
      '  end',
      '  n3{{"0.0.0.0/0 (except 10.0.0.0/8)"}}',
      '  n0 -->|"TCP/8080 by cart"| n1',
      '  n1 -->|"TCP/5432 by db"| n2',
      '  n3 -->|"TCP/443 by web"| n0',
      '',
    ].join('\n'),
  );
});

test('dot', async () => {
  const { stdout } = await graph(shop(), '-o', 'dot');
  expect(stdout).toBe(
    [
      'digraph policies {',
      '  rankdir=LR;',
      '  node [shape=box];',
      '  subgraph cluster_0 {',
      '    label="shop";',
      '    n0 [label="deploy/web"];',
      '    n1 [label="deploy/cart"];',
      '    n2 [label="deploy/db"];',
      '  }',
      '  n3 [label="0.0.0.0/0 (except 10.0.0.0/8)", shape=hexagon];',
      '  n0 -> n1 [label="TCP/8080 by cart"];',
      '  n1 -> n2 [label="TCP/5432 by db"];',
      '  n3 -> n0 [label="TCP/443 by web"];',
      '}',
      '',
    ].join('\n'),
  );
});

test('svg has every node and edge, and nothing that runs or is loaded', async () => {
  const { stdout } = await graph(shop(), '-o', 'svg');
  expect(stdout.match(/<rect class="(pods|network)"/g)).toHaveLength(4);
  expect(stdout.match(/class="edge"/g)).toHaveLength(3);
  expect(stdout).not.toMatch(/<script|href|url\((?!#arrow)|on\w+=/);
});

test('--exposure draws whom policies admit and nobody is', async () => {
  const { stdout } = await graph(shop(), '--exposure', '--no-headers', '--focus', 'db');
  expect(stdout).toBe(
    [
      'shop/deploy/db -> external, any pod of other namespaces         all ports  no policy isolates either',
      'any pod app=backup of shop, shop/deploy/cart -> shop/deploy/db  TCP/5432   shop/db ingress[0]',
      '',
    ].join('\n'),
  );
});

test('--focus has what is near, --depth how near', async () => {
  const near = await graph(shop(), '--focus', 'deploy/db', '--no-headers');
  expect(near.stdout).toBe(
    [
      'shop/deploy/db -> external          all ports  no policy isolates either',
      'shop/deploy/cart -> shop/deploy/db  TCP/5432   shop/db ingress[0]',
      '',
    ].join('\n'),
  );
  const far = await graph(shop(), '--focus', 'shop/deployment/db', '--depth', '2', '--no-headers');
  expect(far.stdout).toBe(
    [
      'shop/deploy/db -> external           all ports  no policy isolates either',
      'shop/deploy/web -> shop/deploy/cart  TCP/8080   shop/cart ingress[0]',
      'shop/deploy/cart -> shop/deploy/db   TCP/5432   shop/db ingress[0]',
      '',
    ].join('\n'),
  );
});

test('internet as a focus is what public addresses reach, and what reaches them', async () => {
  const egress = (name: string, ...cidrs: readonly string[]) =>
    policy(`shop/out-${name}`, {
      ...select(name),
      egress: [{ to: cidrs.map((cidr) => ({ ipBlock: { cidr } })) }],
    });
  const dir = shop(
    egress('web', '10.9.0.0/16', '192.0.2.0/24'),
    egress('cart', '1.1.1.0/24'),
    egress('db', '10.0.0.0/8', 'fd00::/8'),
  );
  const { code, stdout } = await graph(dir, '--focus', 'internet', '--no-headers');
  expect(stdout).toBe(
    [
      'shop/deploy/cart -> 1.1.1.0/24                                  all ports  shop/out-cart egress[0]',
      '0.0.0.0/0 (except 10.0.0.0/8, 192.0.2.0/24) -> shop/deploy/web  TCP/443    shop/web ingress[0]',
      '',
    ].join('\n'),
  );
  expect(code).toBe(0);
});

test('a focus that is nobody is answered with what it is like', async () => {
  const { code, stderr } = await graph(shop(), '--focus', 'deploy/crat');
  expect(stderr).toContain('there is no workload deploy/crat to focus on; did you mean deploy/cart');
  expect(code).toBe(2);
});

test('what no policy decides is there with --all', async () => {
  const dir = manifestDirectory(deployment('a/x', { app: 'x' }), deployment('b/y', { app: 'y' }));
  expect((await graph(dir)).stdout).toBe(
    '= 0 connections; ingress is open for all; egress is open for all\n',
  );
  expect((await graph(dir, '--all', '--no-headers')).stdout).toBe(
    '* -> a/deploy/x, b/deploy/y         all ports  no policy isolates either\n' +
      'a/deploy/x, b/deploy/y -> external  all ports  no policy isolates either\n',
  );
});

test('a drawing of too many ends says how to narrow it, and text does not mind', async () => {
  const many = Array.from({ length: 160 }, (_, at) => deployment(`many/d${at}`, { app: `d${at}` }));
  const dir = shop(...many);
  for (const format of ['mermaid', 'dot', 'svg']) {
    const { code, stdout, stderr } = await graph(dir, '-o', format);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(
      "a drawing has 150 at most: narrow it with --focus NAME or --focus 'NAMESPACE/*'",
    );
  }
  expect((await graph(dir, '-o', 'mermaid', '--focus', 'shop/*')).code).toBe(0);
  expect((await graph(dir)).code).toBe(0);
});

/** Ends labels and strings, begins lines, and steers terminals, pages and pictures. */
const NASTY = '"]; x --> y\n\u001b[2J</text><script>alert(1)</script>`%%{init}%%\\';

test.each(['text', 'mermaid', 'dot', 'svg', 'json'])('a hostile name stays a name: %s', async (format) => {
  const owned = pod('shop/evil', { ip: '10.0.0.1', labels: { app: 'web' }, owner: `StatefulSet/${NASTY}` });
  const plain = pod('shop/evil', { ip: '10.0.0.1', labels: { app: 'web' }, owner: 'StatefulSet/good' });
  const [evil, good] = [await graph(shop(owned), '-o', format), await graph(shop(plain), '-o', format)];
  expect(evil.code).toBe(0);
  expect(evil.stdout).not.toMatch(/[^\P{Cc}\n]/u);
  expect(evil.stdout.split('\n')).toHaveLength(good.stdout.split('\n').length);
  if (format === 'mermaid') expect(evil.stdout.match(/"[^"]*"/g)?.join('')).not.toMatch(/[\]<>`%{}\\]/);
  if (format === 'svg') expect(evil.stdout).not.toContain('<script');
  if (format === 'dot')
    for (const line of evil.stdout.split('\n').filter((one) => one.includes('label=')))
      expect(line).toMatch(/^\s*(n\d+ (-> n\d+ )?\[)?label="([^"\\]|\\["\\])*"[^"]*;$/);
});

test.each([
  [['x'], "'x' is not expected"],
  [['--depth', '2'], '--depth says how far from --focus'],
  [['--focus', 'web', '--depth', '0'], 'wants a number from 1 to 100'],
  [['-o', 'png'], '-o is'],
])('sluice graph %s is wrong use', async (args, message) => {
  const { code, stderr } = await graph(shop(), ...args);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test('a template that makes no pod is an error, and with --ignore-errors it is left out', async () => {
  const broken = {
    ...deployment('shop/broken', { app: 'broken' }),
    spec: { template: { metadata: { labels: { app: 7 } } } },
  };
  const dir = shop(broken);
  const stopped = await graph(dir);
  expect([stopped.code, stopped.stdout]).toEqual([2, '']);
  expect(stopped.stderr).toMatch(/^sluice: [^\n]*broken[^\n]*\n$/);
  const ignored = await graph(dir, '--ignore-errors');
  expect(ignored.stderr).toBe(stopped.stderr.replace('sluice: ', 'sluice: warning: '));
  expect(ignored.code).toBe(0);
});
