/** How fast bytes go on a bad path. */
import { runInNetns } from '../rig/commands.ts';
import { moveBulk } from './bulk.ts';
import type { Figure } from './figure.ts';

const BITS_PER_GBIT = 1e9;

/** The least that IPv6 allows, RFC 8200; and what an Ethernet has. */
const SMALL_MTU = '1280';
const USUAL_MTU = '1500';

/** Loses each hundredth packet on its way to the client. */
const LOSS = `table inet loss { chain in {
  type filter hook prerouting priority -400
  iif != "lo" numgen inc mod 100 == 0 drop
}; }`;
const NO_LOSS = 'table inet loss; delete table inet loss';

/** One stream to a client behind a small MTU that loses packets. */
export const LOSSY: Figure = {
  name: 'lossy',
  title: 'Bulk throughput on a path with a small MTU that loses packets',
  method: `iperf3 with one stream to the client, whose link has an MTU of ${SMALL_MTU} and loses one packet of a hundred.`,
  tools: ['iperf3'],
  slow: true,
  metrics: () => [{ id: 'lossy_1_down', title: '1 stream down', unit: 'Gbit/s', better: 'more' }],
  paths: (chosen) => chosen.filter(({ variant = false }) => !variant),
  prepare: (rig, path) => rig.serve(path, 'iperf3'),
  measure: async (rig, path, { seconds }) => {
    const inClient = (...argv: readonly string[]) => runInNetns(rig.lab, rig.client, argv);
    await inClient('ip', 'link', 'set', 'eth0', 'mtu', SMALL_MTU);
    await inClient('nft', LOSS);
    try {
      const { bitsPerSecond } = await moveBulk(rig, path, { streams: 1, direction: 'down', seconds });
      return { lossy_1_down: bitsPerSecond / BITS_PER_GBIT };
    } finally {
      await inClient('nft', NO_LOSS);
      await inClient('ip', 'link', 'set', 'eth0', 'mtu', USUAL_MTU);
    }
  },
};
