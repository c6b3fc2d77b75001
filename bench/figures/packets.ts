/** How many small packets go through the gate. */
import { IPERF_PACKET_BYTES, packetClient, readSeconds } from '../load/iperf3.ts';
import { runIperf } from '../load/iperf3_run.ts';
import { countsOf, SNMP_FILE } from '../load/packet_counts.ts';
import { DIRECT } from '../paths/direct.ts';
import { gatePaths } from '../paths/gated.ts';
import { readInNetns, runInNetns } from '../rig/commands.ts';
import { type Path, podOf } from '../rig/path.ts';
import type { Rig } from '../rig/rig.ts';
import type { Figure } from './figure.ts';

/** Packets that a sender hands over at once; ip-link(8). One: each is a packet of its own to the gate, too. */
const SINGLE = '1';
const USUAL = '65535';

const OWN_PATHS = gatePaths();

/** Datagrams, and packets of an established TCP connection. */
export const PACKETS: Figure = {
  name: 'packets',
  title: 'Packets through the gate',
  method: `iperf3 sends UDP datagrams of ${IPERF_PACKET_BYTES} bytes as fast as it can, then one TCP stream with segments of ${IPERF_PACKET_BYTES} bytes, each a packet of its own. What has passed the gate is counted in the pod: datagrams, those included for which the app's buffer had no room, and TCP segments. The gate is that of a sidecar on the direct path, with all of its rules; its policies admit the client and so many other addresses.`,
  tools: ['iperf3'],
  slow: true,
  metrics: () => [
    { id: 'packets_udp', title: 'UDP', unit: '1/s', better: 'more' },
    { id: 'packets_tcp', title: 'established TCP', unit: '1/s', better: 'more' },
  ],
  ownPaths: OWN_PATHS,
  // What they are compared with is there where it was chosen.
  paths: (chosen) => [...chosen.filter(({ name }) => name === DIRECT.name), ...OWN_PATHS],
  prepare: (rig, path) => rig.serve(path, 'iperf3'),
  measure: async (rig, path, { seconds }) => {
    const udp = await passed(rig, path, 'udp', seconds);
    await runInNetns(rig.lab, rig.client, ['ip', 'link', 'set', 'eth0', 'gso_max_segs', SINGLE]);
    try {
      return { packets_udp: udp, packets_tcp: await passed(rig, path, 'tcp', seconds) };
    } finally {
      await runInNetns(rig.lab, rig.client, ['ip', 'link', 'set', 'eth0', 'gso_max_segs', USUAL]);
    }
  },
};

/** Packets that reached the pod's UDP or TCP, a second. */
async function passed(rig: Rig, path: Path, protocol: 'udp' | 'tcp', seconds: number): Promise<number> {
  const count = async () => countsOf(await readInNetns(rig.lab, podOf(path), ['cat', SNMP_FILE]))[protocol];
  const argv = packetClient(rig.address(path), { protocol, seconds });
  const { output, before } = await runIperf(rig, argv, seconds, count);
  return ((await count()) - before) / readSeconds(output);
}
