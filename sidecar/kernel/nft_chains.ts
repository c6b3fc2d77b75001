/** Chains in nftables, as the kernel has them: no process is started. Source: linux/netfilter/nf_tables.h. */
import { attribute, NETLINK_PROTOCOLS, readAttributes, text } from '../../native/index.ts';
import { ask, dump } from './exchange.ts';

/** Families of tables that are asked for. */
const FAMILIES = { inet: 1, netdev: 5 } as const;
const SUBSYSTEM = 10;

/** Message types. */
const GET_CHAIN = 4;
const GET_RULE = 7;

/** Attributes: each message has its own numbers. */
const TABLE = 1;
const RULE_CHAIN = 2;
const CHAIN_NAME = 3;
const CHAIN_HOOK = 4;

/** nfgenmsg. */
const FIXED_BYTES = 4;

/** A chain. */
export interface KernelChain {
  /** Packets come to it from a hook. */
  readonly hooked: boolean;
  readonly rules: readonly KernelRule[];
}

/** A rule. */
export interface KernelRule {
  /** Whether it names this chain, to jump to it. */
  leadsTo(chain: string): boolean;
}

/**
 * A chain and its rules; `undefined` where there is none.
 * @param family of the table
 * @throws SluiceError `NETLINK_*` or `SOCKET_*`
 */
export async function findChain(
  table: string,
  chain: string,
  family: keyof typeof FAMILIES = 'inet',
): Promise<KernelChain | undefined> {
  const named = attribute(TABLE, text(table));
  const fixed = Uint8Array.of(FAMILIES[family], 0, 0, 0);
  const question = {
    type: (SUBSYSTEM << 8) | GET_CHAIN,
    body: [fixed, named, attribute(CHAIN_NAME, text(chain))],
  };
  const [hooked] = await ask(NETLINK_PROTOCOLS.NETFILTER, [question], (found) =>
    found === undefined ? 'absent' : readAttributes(found.body, FIXED_BYTES).has(CHAIN_HOOK),
  );
  if (hooked === undefined || hooked === 'absent') return undefined;
  const all = {
    type: (SUBSYSTEM << 8) | GET_RULE,
    body: [fixed, named, attribute(RULE_CHAIN, text(chain))],
  };
  const rules: KernelRule[] = [];
  for await (const messages of dump(NETLINK_PROTOCOLS.NETFILTER, all)) {
    for (const { body } of messages) {
      const bytes = Buffer.from(body); // a copy: the buffer of a dump is used again
      rules.push({ leadsTo: (target) => bytes.includes(`${target}\0`) });
    }
  }
  return { hooked, rules };
}
