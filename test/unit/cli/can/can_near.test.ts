/** Rules that came near: which, where they stand, and how they would admit the flow. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { pod, temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { namespace, policy } from '../../../builders/manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

const SHOP = `apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: ingress-nginx}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: ingress-nginx}
spec: {template: {metadata: {labels: {app: nginx}}, spec: {containers: [{name: a, image: b}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout, namespace: shop}
spec: {template: {metadata: {labels: {app: checkout}}, spec: {containers: [{name: a, image: b}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: b, ports: [{name: http, containerPort: 8080}]}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}], clusterIP: 10.96.0.5}
`;
const POLICIES = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: scrape, namespace: shop}
spec:
  podSelector: {}
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-from-ingress, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from:
    - namespaceSelector:
        matchLabels:
          name: ingress-nginx
    ports:
    - port: 80
  - from:
    - podSelector: {matchLabels: {app: cart}}
  - from:
    - podSelector: {matchLabels: {app: chekout}}
`;

function shop(): string {
  const dir = temporaryDirectory();
  writeFileSync(join(dir, '10-shop.yaml'), SHOP);
  writeFileSync(join(dir, '20-policies.yaml'), POLICIES);
  return dir;
}

interface BlockJson {
  readonly block: readonly {
    readonly ranges: readonly { readonly first: string; readonly last: string }[];
  }[];
}

interface NearJson {
  readonly near: readonly {
    readonly policy: string;
    readonly rule: number;
    readonly line: number;
    readonly tests: readonly {
      readonly failed: string;
      readonly line: number;
      readonly column: number;
      readonly meant?: object;
    }[];
    readonly fix?: string;
    readonly fix_also_for?: readonly string[];
  }[];
}

function blockPolicy(cidr: string): object {
  const spec = { podSelector: { matchLabels: { app: 'web' } }, ingress: [{ from: [{ ipBlock: { cidr } }] }] };
  return policy('shop/block', spec);
}

async function near(...question: string[]): Promise<NearJson['near']> {
  const { stdout } = await runSluice(['can', ...question, '-f', shop(), '-o', 'json']);
  return (JSON.parse(stdout) as NearJson).near;
}

describe('the rule that was meant comes first', () => {
  const FROM_INGRESS = ['controller', 'svc/web:80', '-n', 'ingress-nginx', '--to-namespace', 'shop'];

  test('the same value under another key, and the port of the Service', async () => {
    const [first, second, third, ...more] = await near(...FROM_INGRESS);
    expect(first).toMatchObject({
      policy: 'shop/web-from-ingress',
      rule: 0,
      line: 16,
      tests: [
        {
          failed: 'namespace',
          line: 19,
          column: 17,
          meant: { kind: 'key', key: 'kubernetes.io/metadata.name' },
        },
        { failed: 'port', line: 21, column: 13, meant: { kind: 'target-port' } },
      ],
    });
    expect(parse(first?.fix ?? '')).toEqual([
      {
        from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } } }],
        ports: [{ port: 'http' }],
      },
    ]);
    expect(second).toMatchObject({ policy: 'shop/scrape' });
    expect(third).toBeDefined();
    expect(more).toEqual([]);
  });

  test('a label that is nearly written so goes before others', async () => {
    const [first] = await near('checkout', 'web', '8080', '-n', 'shop');
    expect(first).toMatchObject({
      policy: 'shop/web-from-ingress',
      rule: 2,
      tests: [{ failed: 'pod', line: 25, meant: { kind: 'value', value: 'checkout' } }],
    });
    expect(parse(first?.fix ?? '')).toEqual([
      { from: [{ podSelector: { matchLabels: { app: 'checkout' } } }] },
    ]);
  });

  test('as text, with the places and the fix', async () => {
    const dir = shop();
    const { code, stdout } = await runSluice(['can', ...FROM_INGRESS, '-f', dir]);
    expect(stdout).toMatch(/^denied: [^\n]+ \(ingress: isolated by shop\/scrape, shop\/web-from-ingress\)\n/);
    expect(stdout).toContain(`  nearest shop/web-from-ingress ingress[0] (${dir}/20-policies.yaml:16:5)\n`);
    expect(stdout).toContain(
      '20-policies.yaml:19:17): the same value is under kubernetes.io/metadata.name\n',
    );
    expect(stdout).toContain(
      "20-policies.yaml:21:13): that is the Service's port, and policies see the pod's\n",
    );
    expect(stdout).toContain('  fix     shop/web-from-ingress spec.ingress[0] as\n');
    expect(code).toBe(1);
  });
});

describe('a fix opens no more than was asked about', () => {
  const fixOf = async (...question: string[]) => {
    const [first] = await near(...question, '-n', 'shop');
    return { ...first, rules: parse(first?.fix ?? 'null') };
  };
  const monitoring = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } };

  test('a peer of a rule for all ports gets a rule of its own, with the port', async () => {
    const fix = await fixOf('1.2.3.4', 'web', '8080');
    expect(fix).toMatchObject({ policy: 'shop/scrape', fix_also_for: ['deploy/checkout'] });
    expect(fix.rules).toEqual([
      { from: [monitoring] },
      { from: [{ ipBlock: { cidr: '1.2.3.4/32' } }], ports: [{ port: 'http' }] },
    ]);
  });

  test('the text says for whom it holds as well', async () => {
    const { stdout } = await runSluice(['can', '1.2.3.4', 'web', '8080', '-n', 'shop', '-f', shop()]);
    expect(stdout).toContain('\n  also    for deploy/checkout, which shop/scrape selects too\n');
  });

  test.each([
    ['nothing', {}],
    ['an empty list', { from: [] }],
  ])(
    'a rule with %s as its peers stays, and the port is opened for the one that was asked about',
    async (_, peers) => {
      const dir = shop();
      const rule = { ...peers, ports: [{ port: 9 }] };
      const spec = { podSelector: { matchLabels: { app: 'web' } }, ingress: [rule] };
      writeFileSync(join(dir, '20-policies.yaml'), JSON.stringify(policy('shop/all', spec)));
      const question = ['can', 'checkout', 'web', '8080', '-n', 'shop', '-f', dir, '-o', 'json'];
      const [first] = (JSON.parse((await runSluice(question)).stdout) as NearJson).near;
      expect(parse(first?.fix ?? '')).toEqual([
        rule,
        { from: [{ podSelector: { matchLabels: { app: 'checkout' } } }], ports: [{ port: 'http' }] },
      ]);
    },
  );

  test('there is no fix by a rule for all where the other end has no labels of its own', async () => {
    const dir = shop();
    const spec = { podSelector: { matchLabels: { app: 'web' } }, ingress: [{ ports: [{ port: 9 }] }] };
    const items = [policy('shop/all', spec), pod('shop/bare', { labels: {}, ip: '10.1.0.9' })];
    writeFileSync(join(dir, '20-policies.yaml'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    const question = ['can', 'bare', 'web', '8080', '-n', 'shop', '-f', dir, '-o', 'json'];
    const [first] = (JSON.parse((await runSluice(question)).stdout) as NearJson).near;
    expect(first).toMatchObject({ policy: 'shop/all' });
    expect(first?.fix).toBeUndefined();
  });

  test('of many for whom it holds as well, the first are named', async () => {
    const dir = shop();
    const items = Array.from({ length: 101 }, (_, at) => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: `w${at}`, namespace: 'shop' },
      spec: { template: { metadata: { labels: { app: `w${at}` } }, spec: { containers: [] } } },
    }));
    writeFileSync(join(dir, '30-more.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    const question = ['can', '1.2.3.4', 'web', '8080', '-n', 'shop', '-f', dir, '-o', 'json'];
    const [first] = (JSON.parse((await runSluice(question)).stdout) as NearJson).near;
    expect(first?.fix_also_for).toHaveLength(100);
    // The deployment checkout is one of them.
    expect(first).toMatchObject({ fix_also_for_more: 2 });
  });

  test('a port of a rule for several peers is opened for the one that was asked about', async () => {
    const dir = shop();
    const [cart, batch] = ['cart', 'batch'].map((app) => ({ podSelector: { matchLabels: { app } } }));
    const spec = {
      podSelector: { matchLabels: { app: 'web' } },
      ingress: [
        { from: [cart, { podSelector: { matchLabels: { app: 'checkout' } } }, batch], ports: [{ port: 9 }] },
      ],
    };
    writeFileSync(join(dir, '20-policies.yaml'), JSON.stringify(policy('shop/many', spec)));
    const { stdout } = await runSluice([
      'can',
      'checkout',
      'web',
      '8080',
      '-n',
      'shop',
      '-f',
      dir,
      '-o',
      'json',
    ]);
    const [first] = (JSON.parse(stdout) as NearJson).near;
    expect(parse(first?.fix ?? '')).toEqual([
      spec.ingress[0],
      { from: [{ podSelector: { matchLabels: { app: 'checkout' } } }], ports: [{ port: 'http' }] },
    ]);
  });
});

test('many isolating policies are counted in the first line', async () => {
  const dir = shop();
  const more = ['a', 'b', 'c'].map((name) => policy(`shop/${name}`, { podSelector: {} }));
  writeFileSync(join(dir, '30-more.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items: more }));
  const { stdout } = await runSluice(['can', 'checkout', 'web', '8080', '-n', 'shop', '-f', dir]);
  expect(stdout.split('\n')[0]).toMatch(/ \(ingress: isolated by shop\/a, shop\/b, shop\/c and 2 more\)$/);
});

describe('ends that are no single pod', () => {
  test('parts of a block that get the same answer for the same reason are one line', async () => {
    const dir = temporaryDirectory();
    const own = (name: string, ip: string) => pod(`shop/${name}`, { labels: { app: name }, ip });
    const items = [
      namespace('shop'),
      own('db', '10.1.0.1'),
      own('web', '10.1.0.2'),
      own('cart', '10.1.0.3'),
      policy('shop/db', {
        podSelector: { matchLabels: { app: 'db' } },
        ingress: [{ from: [{ podSelector: { matchLabels: { app: 'cart' } } }] }],
      }),
    ];
    writeFileSync(join(dir, 'all.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    const { stdout } = await runSluice(['can', '10.1.0.0/29', 'shop/db', '80', '-f', dir]);
    expect(
      stdout
        .split('\n')
        .slice(1, -1)
        .map((line) => line.split(/ {2,}/).slice(1)),
    ).toEqual([
      ['denied', '10.1.0.0, 10.1.0.2, 10.1.0.4-10.1.0.7', 'ingress: isolated by shop/db'],
      ['allowed', '10.1.0.1', 'a pod always reaches itself'],
      ['allowed', '10.1.0.3', 'shop/db ingress[0]'],
    ]);
  });

  test('Services of a block that do not have the port are left out, and named', async () => {
    const question = ['can', 'checkout', '10.0.0.0/8', '443', '-n', 'shop', '-f', shop()];
    const { code, stdout, stderr } = await runSluice(question);
    expect(stdout).toMatch(/^allowed: shop\/deploy\/checkout \(template\) -> 10\.0\.0\.0\/8 TCP\/443\n/);
    expect(stderr).toBe(
      'sluice: note: left out, because nodes refuse connections to Services without this port, or without backends: shop/svc/web\n',
    );
    expect(code).toBe(0);
    const only = await runSluice(question.with(2, '10.96.0.5/32'));
    expect(only.stderr).toContain('Service shop/web has no port 443/TCP');
    expect(only.code).toBe(2);
  });

  test('internet is every public address that nobody has', async () => {
    const dir = shop();
    writeFileSync(
      join(dir, '30-public.yaml'),
      `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: public, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{ipBlock: {cidr: 0.0.0.0/0, except: [8.8.8.0/24]}}]
`,
    );
    const { code, stdout } = await runSluice(['can', 'internet', 'shop/web', '8080', '-f', dir]);
    expect(stdout).toMatch(/^partly: internet -> shop\/deploy\/web \(template\) TCP\/8080/);
    // Nothing of it has an address of IPv6: it is not asked about.
    expect(stdout).toMatch(/ {2}denied +8\.8\.8\.0-8\.8\.8\.255 /);
    expect(stdout).not.toContain('2000::');
    expect(code).toBe(1);
    const inside = await runSluice(['can', '8.8.4.0/24', 'shop/web', '8080', '-f', dir]);
    expect(inside.stdout).toBe('allowed: 8.8.4.0/24 -> shop/deploy/web (template) TCP/8080\n');
  });

  test('--all-ports tells apart what policies and the pod do', async () => {
    const { code, stdout } = await runSluice(['can', 'shop/web', '203.0.113.7', '--all-ports', '-f', shop()]);
    expect(stdout).toBe(
      'allowed: shop/deploy/web (template) -> 203.0.113.7\n' +
        '  allowed  TCP/1-65535\n  allowed  UDP/1-65535\n  allowed  SCTP/1-65535\n',
    );
    expect(code).toBe(0);
  });

  test('internet leaves out the blocks of IPv6 that are not reachable', async () => {
    const dir = shop();
    writeFileSync(join(dir, '30-block.json'), JSON.stringify(blockPolicy('2001:db8::/32')));
    const { stdout } = await runSluice(['can', 'internet', 'shop/web', '8080', '-f', dir, '-o', 'json']);
    const { block } = JSON.parse(stdout) as BlockJson;
    const runs = block.flatMap(({ ranges }) => ranges.map(({ first, last }) => `${first}-${last}`));
    expect(runs.filter((run) => run.includes(':'))).toEqual([
      '2000::-2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
      '2001::-2001:0:ffff:ffff:ffff:ffff:ffff:ffff',
      '2001:1::1-2001:1::1',
      '2001:1::2-2001:1::3',
      '2001:3::-2001:3:ffff:ffff:ffff:ffff:ffff:ffff',
      '2001:4:112::-2001:4:112:ffff:ffff:ffff:ffff:ffff',
      '2001:20::-2001:2f:ffff:ffff:ffff:ffff:ffff:ffff',
      '2001:30::-2001:3f:ffff:ffff:ffff:ffff:ffff:ffff',
      '2001:200::-2001:db7:ffff:ffff:ffff:ffff:ffff:ffff',
      '2001:db9::-3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
      '3fff:1000::-3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    ]);
    expect(runs).toContain('192.0.0.9-192.0.0.9');
  });

  test('internet is of IPv6 only where all addresses are', async () => {
    const dir = temporaryDirectory();
    writeFileSync(join(dir, 'shop.yaml'), SHOP.replace(', clusterIP: 10.96.0.5', ''));
    writeFileSync(join(dir, 'block.json'), JSON.stringify(blockPolicy('::/0')));
    const { code, stdout } = await runSluice(['can', 'internet', 'shop/web', '8080', '-f', dir]);
    expect(stdout).toMatch(/^allowed: internet -> shop\/deploy\/web \(template\) TCP\/8080/);
    expect(code).toBe(0);
  });

  test('a block is no near miss for a pod without an address', async () => {
    const dir = shop();
    const spec = {
      podSelector: { matchLabels: { app: 'checkout' } },
      egress: [
        { to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] },
        { to: [{ podSelector: { matchLabels: { app: 'other' } } }], ports: [{ port: 1 }] },
      ],
      policyTypes: ['Egress'],
    };
    writeFileSync(join(dir, '30-out.json'), JSON.stringify(policy('shop/out', spec)));
    const question = ['can', 'shop/checkout', 'ingress-nginx/controller', '80', '-f', dir];
    const { stdout } = await runSluice([...question, '--explain']);
    expect(stdout).toContain('egress[1]');
    expect(stdout).not.toContain('192.0.2.0/24');
    expect(stdout).not.toContain('address yet');
  });

  test.each([
    ['the ranges of ports and the parts of a block together are bounded', 100, 100, 2],
    ['a block and all ports within the bound are answered', 20, 20, 0],
  ])('%s', async (_, ports, blocks, expected) => {
    const dir = shop();
    const spec = {
      podSelector: { matchLabels: { app: 'checkout' } },
      egress: [
        {
          to: Array.from({ length: blocks }, (_each, at) => ({ ipBlock: { cidr: `198.18.${at}.2/32` } })),
          ports: Array.from({ length: ports }, (_each, at) => ({ port: 1000 + 2 * at })),
        },
        {},
      ],
      policyTypes: ['Egress'],
    };
    writeFileSync(join(dir, '30-many.json'), JSON.stringify(policy('shop/many', spec)));
    const question = ['can', 'shop/checkout', '198.18.0.0/16', '--all-ports'];
    const { code, stdout, stderr } = await runSluice([...question, '-f', dir]);
    expect(code).toBe(expected);
    if (expected === 2) {
      expect(stdout).toBe('');
      expect(stderr).toBe(
        'sluice: 205 ranges of ports for each of 201 parts of the block are more than 16384 judgements: ' +
          'ask about one port, or a smaller block\n',
      );
    } else expect(stderr).toBe('');
  });

  test('a template is called as its workload in errors too', async () => {
    const { code, stderr } = await runSluice(['can', 'shop/checkout', 'shop/web', 'grpc', '-f', shop()]);
    expect(stderr).toBe(
      "sluice: shop/deploy/web (template) has no TCP port named 'grpc'; its named ports: http (8080/TCP)\n",
    );
    expect(code).toBe(2);
  });

  test('two blocks are no question', async () => {
    const { code, stderr } = await runSluice(['can', 'internet', '10.0.0.0/8', '80', '-f', shop()]);
    expect(stderr).toContain('both ends are blocks');
    expect(code).toBe(2);
  });
});
