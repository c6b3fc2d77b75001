/** The redirect step as its init container runs it, in network namespaces of its own. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { TOOL_TIMEOUT_MS } from '../../sidecar/kernel/tools.ts';
import { addNetns, netnsName, removeNetns } from '../support/netns.ts';
import { run } from './command.ts';
import { pathThatRefuses, pathWithoutNft } from './tools/without_nft.ts';

const MAIN = join(import.meta.dirname, '../../sidecar/main.ts');
const WITHOUT_NFT = pathWithoutNft();

/** Of both families: the canary, SYNs that meet a listener, connections with a translated port (2), all else. */
const TPROXY_RULES = 10;

let netns = '';

beforeEach(async () => {
  netns = netnsName();
  addNetns(netns);
  await run(['ip', '-n', netns, 'link', 'set', 'lo', 'up']);
});

afterEach(() => {
  removeNetns(netns);
});

const inside = (...argv: string[]) => run(inNetns(netns, argv));
const redirect = (command: string, ...options: string[]) =>
  inside(process.execPath, MAIN, 'redirect', command, ...options);

/** All that the redirect may leave in the kernel, as text. */
async function rules(): Promise<string> {
  const texts: string[] = [];
  for (const tool of [
    'iptables-nft-save',
    'ip6tables-nft-save',
    'iptables-legacy-save',
    'ip6tables-legacy-save',
  ]) {
    texts.push((await inside(tool)).replace(/^#.*\n/gm, '').replace(/\[\d+:\d+\]/g, ''));
  }
  for (const family of ['-4', '-6']) {
    texts.push(
      await inside('ip', family, 'rule'),
      await inside('sh', '-c', `ip ${family} route show table 133 2>/dev/null || true`),
    );
  }
  return texts.join('');
}

test.each(['nft', 'legacy'])(
  '%s: applied twice is applied once; verified; removed without a trace',
  async (backend) => {
    const first = JSON.parse(
      await redirect('apply', '--iptables', backend, '--node-ips', '10.0.0.1,fd00::1'),
    );
    expect(first).toMatchObject({ backend, families: [4, 6], nodeIPs: ['10.0.0.1', 'fd00::1'] });
    const once = await rules();
    expect(once).toContain('-s 10.0.0.1/32 -j RETURN');
    expect(once).toContain('-s fd00::1/128 -j RETURN');
    expect(once.match(/-j TPROXY/g)).toHaveLength(TPROXY_RULES);
    await redirect('apply', '--iptables', backend, '--node-ips', '10.0.0.1,fd00::1');
    expect(await rules()).toBe(once);
    await redirect('verify', '--node-ips', '10.0.0.1,fd00::1');
    await redirect('remove');
    expect(await rules()).not.toMatch(/SLUICE|TPROXY|0x539|local default/);
  },
);

/** A rule that is not ours, as arguments. */
const SOMEBODYS_RULE = '-t mangle -A PREROUTING -p tcp --dport 9 -j ACCEPT'.split(' ');

test('other rules in the namespace stay as they are', async () => {
  await inside('iptables-nft', ...SOMEBODYS_RULE);
  const theirs = async () => (await rules()).match(/^(-A|\d+:) .*/gm);
  const before = await theirs();
  expect(before).toContain('-A PREROUTING -p tcp -m tcp --dport 9 -j ACCEPT');
  await redirect('apply');
  await redirect('remove');
  expect(await theirs()).toEqual(before);
});

test('the back end is legacy where legacy rules are already there', async () => {
  await inside('iptables-legacy', ...SOMEBODYS_RULE);
  expect(JSON.parse(await redirect('apply'))).toMatchObject({
    backend: 'legacy',
    because: 'legacy rules are already there',
  });
});

test('the back end is nft where a no-op rule works; the probe leaves nothing', async () => {
  expect(JSON.parse(await redirect('apply'))).toMatchObject({ backend: 'nft' });
  expect(await rules()).not.toContain('PROBE');
});

test.each([
  ['a rule', ['iptables-nft', '-t', 'mangle', '-D', 'SLUICE_OUT', '1'], 'SLUICE_OUT'],
  ['the jump', ['iptables-nft', '-t', 'mangle', '-D', 'PREROUTING', '-j', 'SLUICE_IN'], 'PREROUTING'],
  ['the zone', ['iptables-nft', '-t', 'raw', '-F', 'SLUICE_LEG'], 'SLUICE_LEG'],
  ['the translation', ['ip6tables-nft', '-t', 'nat', '-D', 'PREROUTING', '-j', 'SLUICE_MET'], 'SLUICE_MET'],
  ['listeners', ['ip6tables-nft', '-t', 'mangle', '-F', 'SLUICE_SYN'], 'SLUICE_SYN'],
  ['the IPv6 routing rule', ['ip', '-6', 'rule', 'del', 'pref', '32764'], 'ip -6 rule'],
  ['the route', ['ip', '-4', 'route', 'flush', 'table', '133'], 'ip -4 route'],
])('verify fails and names what is missing: %s', async (_what, argv, named) => {
  await redirect('apply');
  await inside(...argv);
  await expect(redirect('verify')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(`REDIRECT_INCOMPLETE: .*${named}`),
  });
  await redirect('apply');
  await redirect('verify');
});

test('without NET_ADMIN the error says so', async () => {
  const dropped = ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-all'];
  await expect(inside(...dropped, process.execPath, MAIN, 'redirect', 'apply')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/REDIRECT_CAPABILITY_MISSING: .*NET_ADMIN/),
  });
});

test('without nft alone it applies all but the gate, says so, and keeps nobody waiting', async () => {
  const command = ['env', `PATH=${WITHOUT_NFT}`, process.execPath, MAIN, 'redirect', 'apply'];
  const startedAt = performance.now();
  expect(JSON.parse(await inside(...command))).toMatchObject({
    gate: expect.stringMatching(/cannot run nft .* install the package nftables/),
  });
  expect(performance.now() - startedAt).toBeLessThan(TOOL_TIMEOUT_MS / 2);
  expect(await rules()).toContain('-j TPROXY');
});

describe.each(['nft', 'legacy'])('%s: a kernel that lacks something', (backend) => {
  test.each([
    ['address translation', '-j REDIRECT', /^(IPv[46]: clients that use source ports .*){2}$/s, 6],
    ['zones', '-j CT', /^(IPv[46]: clients that use source ports .*){2}$/s, 6],
    ['the match for sockets', '-m socket', /(IPv[46]: a port on which nobody listens accepts.*){2}/s, 4],
  ])(
    '%s: the rest is applied, verified and removed, and it says what does not hold',
    async (_what, rule, said, count) => {
      const env = ['env', `PATH=${pathThatRefuses(rule)}`, process.execPath, MAIN, 'redirect'];
      const applied = JSON.parse(await inside(...env, 'apply', '--iptables', backend));
      expect(applied.limits.join('\n')).toMatch(said);
      const once = await rules();
      expect(once.match(/-j TPROXY/g)).toHaveLength(count);
      expect(once).not.toContain(rule);
      expect(once).not.toContain('SLUICE_MET');
      expect(JSON.parse(await inside(...env, 'verify')).limits).toEqual(applied.limits);
      expect(await rules()).toBe(once);
      // A kernel that can do more: then something has gone.
      await expect(redirect('verify')).rejects.toMatchObject({
        stderr: expect.stringMatching(/REDIRECT_INCOMPLETE/),
      });
      await redirect('apply', '--iptables', backend);
      await redirect('verify');
      await redirect('remove');
      expect(await rules()).not.toMatch(/SLUICE|TPROXY/);
    },
  );
});

test('excluded ports that were put there with a gate are no fault where nft cannot be asked any more', async () => {
  await redirect('apply', '--excluded-ports', '9090');
  const verify = ['env', `PATH=${WITHOUT_NFT}`, process.execPath, MAIN, 'redirect', 'verify'];
  await inside(...verify, '--excluded-ports', '9090');
  await inside('iptables-nft', '-t', 'mangle', '-D', 'SLUICE_OUT', '1');
  await expect(inside(...verify, '--excluded-ports', '9090')).rejects.toMatchObject({
    stderr: expect.stringMatching(/REDIRECT_INCOMPLETE: .*SLUICE_OUT/),
  });
});

test('rules that are not those that were asked for are a fault: other excluded ports, one of two', async () => {
  await redirect('apply', '--excluded-ports', '9090,9091');
  await expect(redirect('verify', '--excluded-ports', '9090,9092')).rejects.toMatchObject({
    stderr: expect.stringMatching(/REDIRECT_INCOMPLETE: .*9092/),
  });
  await expect(redirect('verify')).rejects.toMatchObject({
    stderr: expect.stringMatching(/REDIRECT_INCOMPLETE/),
  });
  await inside(...'iptables-nft -t mangle -D SLUICE_PATH -p tcp -m tcp --dport 9090 -j RETURN'.split(' '));
  await expect(redirect('verify', '--excluded-ports', '9090,9091')).rejects.toMatchObject({
    stderr: expect.stringMatching(/REDIRECT_INCOMPLETE: .*9090/),
  });
});

test('without the tools the error says which package has them', async () => {
  const bare = ['env', 'PATH=/nonexistent', process.execPath, MAIN, 'redirect', 'apply'];
  await expect(inside(...bare)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/TOOL_MISSING: .*iproute2/),
  });
});

test.each([
  [['--node-ips', '10.0.0.300'], /SLUICE_NODE_IPS: .*10\.0\.0\.300/],
  [['--admin-port', '0'], /--admin-port is '0'/],
  [['--canary-port', '15006'], /must differ/],
  [['--admin-port', '15029'], /must differ/],
  [['--inbound-port', '65513'], /SLUICE_INBOUND_PORT must be at most 65512/],
  [['--excluded-ports', '15022'], /SLUICE_EXCLUDED_PORTS has '15022'/],
  [['--iptables', 'ipfw'], /--iptables is 'ipfw': wants one of auto, nft, legacy/],
  [['--no-such-flag'], /no-such-flag/],
])('bad input is one clear line and exit 2: %j', async (options, message) => {
  await expect(redirect('apply', ...options)).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(message),
  });
  expect(await rules()).not.toContain('SLUICE');
});

test('where IPv6 is switched off its rules are there all the same, should it be switched on', async () => {
  await inside('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6');
  expect(JSON.parse(await redirect('apply'))).toMatchObject({ families: [4, 6] });
  await redirect('verify');
  await inside('sh', '-c', 'echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6');
  expect((await rules()).match(/-j TPROXY/g)).toHaveLength(TPROXY_RULES);
});
