/**
 * Case 21. Given UDP, SCTP or ICMP under default-deny, when sent, then it is dropped, or reported "not enforced" in the
 * status; never silently open.
 */
import { describe, expect, test } from 'vitest';
import { namespace, node, pod, policy } from '../builders/manifests.ts';
import { SILENCE, type TestLab, until, useLab } from '../netns/harness.ts';
import { usePackets } from '../netns/tools/packets.ts';
import { pathWithoutNft } from '../netns/tools/without_nft.ts';

const API = ['10.1.1.10', 'fd00:1::10'] as const;
const FRONT = ['10.1.1.11', 'fd00:1::11'] as const;
const SCTP_PORT = 3868;
const { timeoutMs } = SILENCE;

const packets = usePackets();

const deny = policy('shop/deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
const objects = [
  node(1),
  namespace('shop'),
  namespace('free'),
  pod('shop/api', { ips: API, ports: [80, 'UDP/53'] }),
  pod('free/front', { ips: FRONT, ports: [80, 'UDP/53'] }),
  deny,
];

/** What of `from` is answered by a pod of these addresses. */
async function answered(
  net: TestLab,
  from: string,
  source: readonly [string, string],
  to: readonly [string, string],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [index, address] of to.entries()) {
    const own = source[index] ?? '';
    if ((await net.datagram(from, address, 53, SILENCE)).allowed) found.push(`UDP ${address}`);
    if (await packets.tool.probeSctp(net.lab, from, { source: own, address, port: SCTP_PORT, timeoutMs }))
      found.push(`SCTP ${address}`);
    if (await packets.tool.probeEcho(net.lab, from, address, timeoutMs)) found.push(`ICMP ${address}`);
  }
  return found;
}

describe('with a gate', () => {
  const net = useLab({ objects });

  test('nothing is answered, either way, in both families, and all of it is counted', async () => {
    for (const target of ['shop/api', 'free/front'])
      await packets.tool.serveSctp(net.lab, target, [SCTP_PORT]);
    expect(await answered(net, 'free/front', FRONT, API)).toEqual([]);
    expect(await answered(net, 'shop/api', API, FRONT)).toEqual([]);
    const drops = async (direction: string) => {
      const { body } = await net.admin('shop/api', '/metrics');
      return Number(
        new RegExp(`^sluice_gate_drops_total\\{direction="${direction}"\\} (\\d+)$`, 'm').exec(body)?.[1],
      );
    };
    // Three protocols, two families.
    for (const direction of ['ingress', 'egress'])
      await until(`${direction} is counted`, async () => (await drops(direction)) >= 6);
  });

  test('what is open without the policy is answered: the silence above is the policy', async () => {
    await net.delete(deny);
    expect(await answered(net, 'free/front', FRONT, API)).toHaveLength(6);
    await net.apply(deny);
  });

  test('and goes on being dropped while the sidecar is down', async () => {
    await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
    expect(await answered(net, 'free/front', FRONT, API)).toEqual([]);
  });
});

describe('without nft', () => {
  const path = pathWithoutNft();
  const net = useLab({
    // Ingress alone: a pod whose egress is not enforced is not in force at all.
    objects: [...objects.slice(0, -1), policy('shop/deny', { podSelector: {}, policyTypes: ['Ingress'] })],
    sidecarEnv: { PATH: path },
  });

  test('the status, a metric and the log say that it is not enforced; TCP is refused all the same', async () => {
    const { body } = await net.admin('shop/api', '/readyz');
    expect(JSON.parse(body)).toMatchObject({
      gate: { state: 'unavailable', problem: expect.stringContaining('nft') },
    });
    expect((await net.admin('shop/api', '/metrics')).body).toMatch(/^sluice_gate_in_force 0$/m);
    const said = net.sidecarLog('shop/api').map(({ msg }) => String(msg));
    expect(said.some((msg) => msg.includes('UDP, SCTP and egress are not enforced'))).toBe(true);
    for (const address of API)
      expect(await net.connect('free/front', address, 80)).toMatchObject({ allowed: false, reset: true });
  });
});
