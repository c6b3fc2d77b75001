/** What live commands say to users of few rights and to an administrator, asked of any API server. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runSluice } from '../../unit/cli/support/sluice_process.ts';
import { CommandShop, type ShopUser } from './command_shop.ts';
import { type Access, settled } from './test_cluster.ts';

/** A command line, its exit code, and what it prints. */
type Row = readonly [line: string, code: number, prints: string];

/** Longest of one command, ms: the machine may be busy. */
const TIMEOUT_MS = 60_000;

/** Registers the scenarios. In command lines and texts, SHOP and OTHER are namespaces, and MORE and CASES paths. */
export function commandScenarios(open: () => Promise<Access>): void {
  let shop: CommandShop;
  let folder: string;

  beforeAll(async () => {
    shop = await CommandShop.open(await open());
    folder = mkdtempSync(join(tmpdir(), 'sluice-commands-'));
    mkdirSync(join(folder, 'more'));
    // Without a namespace: that of the context, as with kubectl.
    const more = { ...shop.policy('more', [{ ports: [{ port: 9 }] }]), metadata: { name: 'more' } };
    writeFileSync(join(folder, 'more/policy.json'), JSON.stringify(more));
    writeFileSync(
      join(folder, 'cases.yaml'),
      'tests: [{from: web-1, to: "api-1:8080", expect: allow}, {from: api-1, to: "cart:1", expect: allow}]\n',
    );
    for (const user of ['reader', 'few', 'lister', 'admin'] as const)
      writeFileSync(join(folder, user), JSON.stringify(shop.kubeconfig(user)), { mode: 0o600 });
  }, 120_000);

  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await shop.close();
  });

  const filled = (text: string): string =>
    text
      .replaceAll('SHOP', shop.own)
      .replaceAll('OTHER', shop.other)
      .replaceAll('MORE', join(folder, 'more'))
      .replaceAll('CASES', join(folder, 'cases.yaml'));

  /** Nobody is ever shown a stack, and an error has no answer beside it. */
  async function run(user: ShopUser, line: string) {
    const words = filled(line)
      .split(' ')
      .map((word) => (word === "''" ? '' : word));
    const [command = '', ...rest] = words;
    const flags = ['--kubeconfig', join(folder, user)];
    // The word at the cursor is the last.
    const args =
      command === '__complete' ? [...rest.slice(0, 1), ...flags, ...rest.slice(1)] : [...rest, ...flags];
    const ended = await runSluice([command, ...args]);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    if (ended.code === 2) expect(ended.stdout).toBe('');
    return ended;
  }

  describe('a user of one namespace', () => {
    const ANSWERS: readonly Row[] = [
      ['can web-1 api-1 8080', 0, 'allowed: SHOP/web-1 -> SHOP/api-1 TCP/8080\n'],
      ['can api-1 web-1 80', 0, 'allowed: SHOP/api-1 -> SHOP/web-1 TCP/80'],
      ['describe pod/api-1', 1, 'not in force at SHOP/api-1: it has no sidecar'],
      ['describe deploy/cart', 0, 'SHOP/deploy/cart  no pods'],
      ['describe ns/SHOP', 1, 'SHOP  namespace, 3 workloads, 2 pods, 1 policy'],
      ['describe netpol/api', 1, 'not known here'],
      ['lint', 0, 'NP012  no policy isolates 2 of 3 workloads of SHOP'],
      ['diff cluster MORE', 1, 'SHOP/more ingress[0] added'],
      ['graph', 0, 'SHOP/pod/web-1 -> SHOP/pod/api-1  TCP/8080  SHOP/api ingress[0]\n'],
      ['test -f CASES', 0, '2 cases: 2 as expected'],
    ];
    test.each(ANSWERS)(
      'is answered: %s',
      async (line, code, prints) => {
        const ended = await run('reader', line);
        expect(ended.stdout).toContain(filled(prints));
        const notes = ended.stderr.trimEnd().split('\n');
        expect(notes.filter((note) => !note.startsWith('sluice: note: '))).toEqual([]);
        const ofOne = /^(can|test)/.test(line);
        expect(notes.at(-1)).toBe(
          `sluice: note: not known, because the user may not: ${ofOne ? '' : 'list namespaces; '}list nodes`,
        );
        if (!ofOne)
          expect(notes[0]).toContain(
            filled('only namespace SHOP could be read: the user may not list pods in all namespaces'),
          );
        expect(ended.code).toBe(code);
      },
      TIMEOUT_MS,
    );

    test(
      'check says what it did not look at',
      async () => {
        const { code, stdout, stderr } = await run('reader', 'check -n SHOP');
        expect(stdout).toContain(filled('namespace SHOP: has no label sluice.dev/inject'));
        for (const right of [
          'get its webhook, admission policies, namespace, Deployment and Service',
          'list namespaces',
          'list nodes',
          'list daemonsets.apps in all namespaces',
        ])
          expect(stdout).toMatch(
            new RegExp(`^not looked at: .*: the user of context shop may not ${right}$`, 'm'),
          );
        expect([code, stderr]).toEqual([0, '']);
      },
      TIMEOUT_MS,
    );

    test(
      'names are offered of the namespace, and none of others',
      async () => {
        // A busy machine may need more than the time that is waited for names.
        await settled(async () => {
          const { stdout } = await run('reader', "__complete can ''");
          expect(stdout.split('\n')).toEqual(
            expect.arrayContaining(['pod/api-1', 'pod/web-1', 'deploy/cart', ':4']),
          );
        });
        const { code, stdout, stderr } = await run('reader', "__complete can -n ''");
        expect([code, stdout, stderr]).toEqual([0, ':4\n', '']);
      },
      TIMEOUT_MS,
    );

    const LACKS = 'list pods in namespace OTHER; list networkpolicies.networking.k8s.io in namespace OTHER';
    test.each([
      ['can OTHER/client api-1 9090', LACKS],
      ['describe pod/client -n OTHER', LACKS],
      ['describe ns/OTHER', LACKS],
      ['lint -n OTHER', LACKS],
      ['diff cluster MORE -n OTHER', LACKS],
      ['graph -n OTHER', LACKS],
      ['test -f CASES -n OTHER', LACKS],
      ['check -n OTHER', 'get namespace OTHER'],
      ['check', 'list namespaces'],
    ])(
      'is refused, with the rights that are missing: %s',
      async (line, rights) => {
        const { code, stderr } = await run('reader', line);
        const [first, check, ...more] = stderr.split('\n');
        expect(first).toBe(filled(`sluice: the user of context shop may not ${rights}`));
        expect(check).toMatch(/^ {2}check: {2}kubectl auth can-i (list|get) /);
        expect(more.filter((text) => text.startsWith('  grant:  kubectl create '))).toHaveLength(2);
        if (line === 'check') expect(stderr).toContain('or name one namespace with -n, or manifests with -f');
        expect(code).toBe(2);
      },
      TIMEOUT_MS,
    );
  });

  describe('a user of pods and policies alone', () => {
    test(
      'is answered, and told what is not known',
      async () => {
        const { code, stdout, stderr } = await run('few', 'can web-1 api-1 8080');
        expect([code, stdout]).toEqual([0, filled('allowed: SHOP/web-1 -> SHOP/api-1 TCP/8080\n')]);
        expect(stderr).toContain(
          filled(
            'the user may not: list nodes; get namespace SHOP; list services in namespace SHOP; ' +
              'list endpointslices.discovery.k8s.io in namespace SHOP; list deployments.apps in namespace SHOP;',
          ),
        );
      },
      TIMEOUT_MS,
    );

    test.each([
      ['describe deploy/cart', 'workload SHOP/deploy/cart', 'list deployments.apps in namespace SHOP'],
      ['can deploy/cart api-1 8080', 'workload SHOP/deploy/cart', 'list deployments.apps in namespace SHOP'],
    ])(
      'is not told that there is none of what cannot be seen: %s',
      async (line, what, right) => {
        const { code, stderr } = await run('few', line);
        expect(stderr).toContain(
          filled(
            `the cluster (context shop) has no ${what}, or the user cannot see it, who may not ${right}; did you mean `,
          ),
        );
        expect(code).toBe(2);
      },
      TIMEOUT_MS,
    );
  });

  test(
    'other namespaces are not taken for empty where only their names may be listed',
    async () => {
      const { stdout, stderr } = await run('lister', 'describe netpol/api');
      expect(stdout).toMatch(/TCP\/9090 +api ingress\[1\] +not known here$/m);
      expect(stderr).not.toMatch(/warning|remove one of them/);
    },
    TIMEOUT_MS,
  );

  describe('an administrator', () => {
    const ANSWERS: readonly Row[] = [
      ['can OTHER/client api-1 9090 -n SHOP', 0, 'allowed: OTHER/client -> SHOP/api-1 TCP/9090\n'],
      ['can OTHER/client api-1 8080 -n SHOP', 1, 'denied: OTHER/client -> SHOP/api-1 TCP/8080'],
      ['describe netpol/api -n SHOP', 1, '1 pod: OTHER/pod/client'],
      ['describe deploy/cart -n SHOP', 0, 'SHOP/deploy/cart  no pods'],
      ['describe ns/OTHER', 0, 'OTHER  namespace, 1 workload, 1 pod, 0 policies'],
      ['lint -n SHOP', 0, 'NP012  no policy isolates 2 of 3 workloads of SHOP'],
      ['diff cluster MORE -n SHOP', 1, 'OTHER/pod/client'],
      ['graph -n SHOP', 0, 'OTHER/pod/client -> SHOP/pod/api-1'],
      ['check -n SHOP', 1, 'webhook sluice-injector: is not there'],
    ];
    test.each(ANSWERS)(
      'is answered: %s',
      async (line, code, prints) => {
        const ended = await run('admin', line);
        expect(ended.stdout).toContain(filled(prints));
        expect([ended.code, ended.stderr]).toEqual([code, '']);
      },
      TIMEOUT_MS,
    );

    test(
      'is offered the names of namespaces',
      async () => {
        await settled(async () => {
          const { stdout } = await run('admin', '__complete can -n sluice-test-');
          expect(stdout.split('\n')).toEqual(expect.arrayContaining([shop.own, shop.other, ':4']));
        });
      },
      TIMEOUT_MS,
    );
  });
}
