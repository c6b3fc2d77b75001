/** Enforcement without a proxy: a list of addresses in the pod's kernel. It cannot end a flow that runs. */
import { runInNetns } from '../rig/commands.ts';
import { CLIENT_ADDRESS } from '../rig/manifests.ts';
import { type Path, podOf } from '../rig/path.ts';

/** Addresses beside the client's: as many as a large policy has. */
const OTHER_PEERS = 1000;

/** An nftables accept list with connection tracking. */
export const KERNEL: Path = {
  name: 'kernel',
  label: 'kernel rules only',
  policies: 0,
  prepare: async (rig) =>
    await runInNetns(rig.lab, podOf({ name: 'kernel' }), ['nft', '-f', '-'], acceptList()),
};

function acceptList(): string {
  const others = Array.from(
    { length: OTHER_PEERS },
    (_, index) => `172.20.${Math.floor(index / 250)}.${(index % 250) + 1}`,
  );
  return `table inet accept_list {
  set peers {
    type ipv4_addr
    elements = { ${[CLIENT_ADDRESS, ...others].join(', ')} }
  }
  chain input {
    type filter hook input priority filter; policy drop;
    iif "lo" accept
    ct state established,related accept
    ip saddr @peers accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
  }
}
`;
}
