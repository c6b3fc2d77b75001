/** `sluice test`, judged by the engine. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { runTool } from '../../../../common/run_tool.ts';
import { manifestDirectory, pod, shop, temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { policy, service } from '../../../builders/manifests.ts';
import { schemaProblems } from '../support/schema.ts';
import { MAIN, runSluice } from '../support/sluice_process.ts';
import { caseFile } from './cases_files.ts';

const GOOD = `namespace: shop
tests:
- {from: web, to: "api:http", expect: allow}
- {from: batch, to: "api:8080", expect: deny, name: batch stays out}
- {from: other/client, to: "pod/api:53/UDP", expect: deny}
- {from: internet, to: "api:8080", expect: deny}
`;

test('cases that are as expected: a line each, exit code 0', async () => {
  const { code, stdout, stderr } = await runSluice(['test', '-f', caseFile(GOOD), '-f', shop()]);
  expect(stderr).toBe('');
  expect(stdout).toBe(`ok 1 web -> api:http allow (shop/api-allow ingress[0])
ok 2 batch stays out: batch -> api:8080 deny (ingress: isolated by shop/api-allow, shop/default-deny)
ok 3 other/client -> pod/api:53/UDP deny (ingress: isolated by shop/api-allow, shop/default-deny)
ok 4 internet -> api:8080 deny (ingress: isolated by shop/api-allow, shop/default-deny)
4 cases: 4 as expected
`);
  expect(code).toBe(0);
});

test('a case that is not: why, its place, and the rule that came near, exit code 1', async () => {
  const file = caseFile(`namespace: shop
tests:
- {from: web, to: "api:8080", expect: deny}
- {from: batch, to: "api:8080", expect: allow}
`);
  const { code, stdout } = await runSluice(['test', '-f', file, '-f', shop()]);
  expect(code).toBe(1);
  expect(stdout).toContain(`not ok 1 web -> api:8080 wanted deny, got allow
  ${file}:3:3
  allowed: shop/web -> shop/api TCP/8080
  by shop/api-allow ingress[0]
not ok 2 batch -> api:8080 wanted allow, got deny
  ${file}:4:3
  denied: shop/batch -> shop/api TCP/8080 (ingress: isolated by`);
  expect(stdout).toContain('label role=frontend wanted, got role=front');
  expect(stdout).toMatch(/\n2 cases: 2 not\n$/);
});

test('cases in a folder count too, and files of tests of other programs do not', async () => {
  const folder = shop();
  writeFileSync(
    join(folder, 'cases.yaml'),
    `namespace: shop\ntests:\n- {from: web, to: "api:8080", expect: deny}\n`,
  );
  writeFileSync(join(folder, 'unit.yaml'), 'suite: x\ntests:\n- it: works\n  asserts: []\n');
  const { code, stdout, stderr } = await runSluice(['test', '-f', caseFile(GOOD), '-f', folder]);
  expect(stdout).toContain('not ok 5 web -> api:8080 wanted deny, got allow');
  expect(stderr).not.toContain('cases.yaml');
  expect(stderr).toContain('unit.yaml');
  expect(code).toBe(1);
  // Named otherwise as well, it is still no manifest that is passed over.
  const twice = await runSluice(['test', '-f', `${folder}/./cases.yaml`, '-f', folder]);
  expect(twice.stdout).toContain('1 case: ');
  expect(twice.stderr).not.toContain('cases.yaml');
});

test('cases come on standard input too, and so do manifests beside a file of cases', async () => {
  const cases = await runSluice(['test', '-f', '-', '-f', shop()], GOOD);
  expect(cases).toMatchObject({
    code: 0,
    stderr: '',
    stdout: expect.stringContaining('4 cases: 4 as expected'),
  });
  const wrong = await runSluice(
    ['test', '-f', '-', '-f', shop()],
    GOOD.replace('expect: allow', 'expect: deny'),
  );
  expect(wrong.stdout).toContain('not ok 1 web -> api:http wanted deny, got allow\n  standard input:3:3\n');
  const items = [pod('a/x'), pod('a/y')];
  const manifests = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const file = caseFile('tests: [{from: a/x, to: "a/y:1", expect: allow}]\n');
  expect(await runSluice(['test', '-f', file, '-f', '-'], manifests)).toMatchObject({ code: 0, stderr: '' });
});

test('cases on standard input are for a lab and a cluster as well', async () => {
  const { stderr } = await runSluice(['test', '-f', '-', '--lab', 'no-such-lab'], GOOD);
  expect(stderr).toContain('no-such-lab');
  expect(stderr).not.toContain('different inputs');
});

test('cases of a git revision are tested, those of a folder too', async () => {
  const folder = shop();
  const git = (...args: string[]) =>
    execFileSync(
      'git',
      ['-c', 'user.name=t', '-c', 'user.email=t@example', '-c', 'commit.gpgsign=false', ...args],
      { cwd: folder },
    );
  writeFileSync(join(folder, 'cases.yaml'), GOOD);
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('commit', '-q', '-m', 'cases');
  writeFileSync(join(folder, 'cases.yaml'), GOOD.replaceAll('deny', 'allow'));
  const testIn = (...args: string[]) =>
    runTool(['sh', '-c', 'cd "$0" && exec "$@"', folder, process.execPath, MAIN, 'test', ...args], {
      timeMs: 60_000,
    });
  for (const args of [
    ['-f', 'main:cases.yaml', '-f', '.'],
    ['-f', 'main:.'],
  ]) {
    const { stdout, stderr } = await testIn(...args);
    expect(stdout).toContain('ok 2 batch stays out: batch -> api:8080 deny');
    expect(stderr).not.toContain('main:cases.yaml');
  }
  expect((await testIn('-f', 'main:.')).stdout).toMatch(/\n4 cases: 4 as expected\n$/);
});

test('cases between objects are refused, not passed over', async () => {
  const mixed = `apiVersion: v1\nkind: Namespace\nmetadata: {name: more}\n---\n${GOOD}`;
  for (const [args, input] of [
    [['-f', '-'], mixed],
    [['-f', caseFile(mixed, 'mixed.yaml')], ''],
  ] as const) {
    const { code, stdout, stderr } = await runSluice(
      ['test', '-f', caseFile(GOOD), '-f', shop(), ...args],
      input,
    );
    expect(stderr).toMatch(
      /(standard input|mixed\.yaml), document 2: has cases, and other documents are objects/,
    );
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  }
});

test('a case that names what is not there is not judged: exit code 2, and the others are', async () => {
  const file = caseFile(`namespace: shop
tests:
- {from: wbe, to: "api:8080", expect: deny}
- {from: web, to: "api:grpc", expect: deny}
- {from: web, to: "api:8080", expect: allow}
`);
  const { code, stdout } = await runSluice(['test', '-f', file, '-f', shop()]);
  expect(code).toBe(2);
  expect(stdout).toContain(
    `not ok 1 wbe -> api:8080 not judged: the manifests have no pod shop/wbe; did you mean shop/web?\n  ${file}:3:3\n`,
  );
  expect(stdout).toContain(`not ok 2 web -> api:grpc not judged: shop/api has no TCP port named 'grpc'`);
  expect(stdout).toContain('ok 3 web -> api:8080 allow');
  expect(stdout).toMatch(/3 cases: 1 as expected, 2 not judged\n$/);
});

test('a Service is denied only where all its backends are, and allowed where all are', async () => {
  const more = manifestDirectory(
    pod('shop/open', { labels: { tier: 'back' }, ip: '10.1.0.21', ports: [{ containerPort: 80 }] }),
    pod('shop/shut', {
      labels: { tier: 'back', shut: '1' },
      ip: '10.1.0.22',
      ports: [{ containerPort: 80 }],
    }),
    policy('shop/shut', { podSelector: { matchLabels: { shut: '1' } }, policyTypes: ['Ingress'] }),
    service('shop/back', { ips: ['10.96.0.9'], ports: ['80'], more: { selector: { tier: 'back' } } }),
    pod('shop/web', { ip: '10.1.0.11' }),
  );
  const file = caseFile(`tests:
- {from: shop/web, to: "shop/svc/back:80", expect: allow}
- {from: shop/web, to: "shop/svc/back:80", expect: deny}
`);
  const { code, stdout } = await runSluice(['test', '-f', file, '-f', more]);
  expect(stdout).toContain('not ok 1 shop/web -> shop/svc/back:80 wanted allow, got partly\n');
  expect(stdout).toContain('not ok 2 shop/web -> shop/svc/back:80 wanted deny, got partly\n');
  expect(code).toBe(1);
});

test('a malformed file: all faults by line and column, exit code 2, and no case is judged', async () => {
  const first = caseFile(
    'tests:\n- {from: shop/web, to: "shop/api:1"}\n- {from: shop/web, too: x, expect: deny}\n',
  );
  const second = caseFile('tests: [nonsense\n', 'more.yaml');
  const { code, stdout, stderr } = await runSluice(['test', '-f', first, second, '-f', shop()]);
  expect(stdout).toBe('');
  expect(stderr).toContain(`sluice: ${first}:2:3: expect is missing: allow or deny\n`);
  expect(stderr).toContain(`sluice: ${first}:3:25: there is no field 'too'; did you mean to?\n`);
  expect(stderr).toContain(`sluice: ${first}:3:3: to is missing\n`);
  expect(stderr).toMatch(/more\.yaml:\d+:\d+: /);
  expect(code).toBe(2);
});

test('a shell pattern may give cases and manifests together', async () => {
  const dir = temporaryDirectory();
  const [cases, manifests] = [join(dir, 'a.yaml'), join(dir, 'b.json')];
  writeFileSync(cases, 'tests: [{from: a/x, to: "a/y:1", expect: allow}]\n');
  writeFileSync(
    manifests,
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [pod('a/x'), pod('a/y')] }),
  );
  expect(await runSluice(['test', '-f', cases, manifests])).toMatchObject({ code: 0, stderr: '' });
});

test('-n is the namespace of names where the file gives none', async () => {
  const file = caseFile('tests: [{from: web, to: "api:8080", expect: allow}]\n');
  expect(await runSluice(['test', '-f', file, '-f', shop(), '-n', 'shop'])).toMatchObject({ code: 0 });
  const { code, stderr } = await runSluice(['test', '-f', file, '-f', shop()]);
  expect(stderr).toContain(`sluice: ${file}:1:16: 'web' is not an IP address`);
  expect(code).toBe(2);
});

test('broken manifests are an error, with --ignore-errors a warning', async () => {
  const broken = { ...policy('shop/x', { podSelector: {} }), spec: { podSelector: {}, ingress: 'all' } };
  const args = ['test', '-f', caseFile(GOOD), '-f', shop(broken)];
  expect(await runSluice(args)).toMatchObject({ code: 2, stdout: '' });
  expect(await runSluice([...args, '--ignore-errors'])).toMatchObject({ code: 0 });
});

test.each([
  [['test'], 'there are no cases: name a file that has a list of tests, with -f'],
  [['test', '-f', 'examples/bookstore'], 'no file of -f has cases'],
  [['test', '-f', 'no-such.yaml', '--lab', 'x'], 'no-such.yaml cannot be read: there is no such file'],
  [['test', 'x.yaml'], "'x.yaml' is not expected (see sluice test --help)"],
  [['test', '-f', 'examples/bookstore-cases.yaml', '--live'], 'sluice sends no packets in a cluster'],
  [['test', '-f', 'examples/bookstore-cases.yaml', '-o', 'xml'], 'wants text, json, tap or junit'],
  [
    ['test', '-f', 'examples/bookstore-cases.yaml', '-f', 'examples/bookstore', '--lab', 'x'],
    '-f and --lab are of different',
  ],
])('%j is refused', async (args, message) => {
  const { code, stdout, stderr } = await runSluice(args);
  expect(stderr).toContain(message);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});

test('a file of cases that is too large is refused', async () => {
  const long = caseFile(`tests:\n- {from: a/b, to: "a/c:1", expect: deny}\n#${' '.repeat(1024 * 1024)}\n`);
  expect(await runSluice(['test', '-f', long, '-f', shop()])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('is larger than 1 MiB'),
  });
});

test('the cases of the example are as expected', async () => {
  const example: unknown = parse(readFileSync('examples/bookstore-cases.yaml', 'utf8'));
  expect(schemaProblems('cases.v1.json', JSON.stringify(example))).toEqual([]);
  const args = ['test', '-f', 'examples/bookstore-cases.yaml', '-f', 'examples/bookstore'];
  const { code, stdout } = await runSluice(args);
  expect(stdout).toMatch(/6 cases: 6 as expected\n$/);
  expect(code).toBe(0);
});
