/** What of the gate a kernel may lack: the rest is in force without it. */
import { runNft } from '../../kernel/index.ts';

/** What a kernel can do. */
export interface GateKernel {
  /** Look at the socket that a packet meets (CONFIG_NFT_SOCKET). */
  readonly matchesSockets: boolean;
  /** Say which changes of a connection are reported (CONFIG_NF_CONNTRACK_EVENTS). */
  readonly limitsReports: boolean;
}

/** Nearly all. */
export const WHOLE_KERNEL: GateKernel = { matchesSockets: true, limitsReports: true };

/** For each a rule that only a kernel takes which can do it. */
const RULES: Readonly<Record<keyof GateKernel, string>> = {
  matchesSockets: 'socket transparent 1 accept',
  limitsReports: 'ct event set assured',
};

/** Without `limitsReports` the kernel only has more work. */
const NO_SOCKET_MATCH =
  'this kernel has no nft socket match (CONFIG_NFT_SOCKET): while the sidecar is down, an app that takes the admin port is reached by everybody';

/** Asks the kernel, by transactions that change nothing. */
export async function tryGateKernel(): Promise<GateKernel> {
  const canDo = (rule: string): Promise<boolean> =>
    runNft(`table inet sluice_try {\n  chain try { ${rule}; }\n}\ndelete table inet sluice_try\n`).then(
      () => true,
      () => false,
    );
  return {
    matchesSockets: await canDo(RULES.matchesSockets),
    limitsReports: await canDo(RULES.limitsReports),
  };
}

/** What follows from what a kernel lacks, for people. */
export function lacking({ matchesSockets }: GateKernel): readonly string[] {
  return matchesSockets ? [] : [NO_SOCKET_MATCH];
}
