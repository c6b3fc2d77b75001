/** Chains in nftables, as the kernel has them: no process is started. Source: linux/netfilter/nf_tables.h. */
import { constants } from 'node:os';
import { attribute, NETLINK_PROTOCOLS, readAttributes, text } from '../../native/index.ts';
import { ask, dump, look } from './exchange.ts';

/** Families of tables that are asked for. The nft back end of iptables has its tables in `ip` and `ip6`. */
const FAMILIES = { inet: 1, ip: 2, netdev: 5, ip6: 10 } as const;
type TableFamily = keyof typeof FAMILIES;
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

/** Where a chain would be. */
export interface ChainPlace {
  readonly family: TableFamily;
  readonly table: string;
  readonly chain: string;
}

/** What the kernel answers where there is no such chain, and where it has no nf_tables. Source: `nfnetlink_rcv_msg` of nfnetlink.c. */
const ABSENT: readonly number[] = [-constants.errno.ENOENT, -constants.errno.EINVAL];

/**
 * Whether the kernel says that there is none of these chains. False too where it says nothing, or anything else.
 */
export async function areAbsent(places: readonly ChainPlace[]): Promise<boolean> {
  const questions = places.map(({ family, table, chain }) => ({
    type: (SUBSYSTEM << 8) | GET_CHAIN,
    body: [
      Uint8Array.of(FAMILIES[family], 0, 0, 0),
      attribute(TABLE, text(table)),
      attribute(CHAIN_NAME, text(chain)),
    ],
  }));
  return await look(NETLINK_PROTOCOLS.NETFILTER, questions).then(
    (results) => results.every((result) => ABSENT.includes(result)),
    () => false,
  );
}

/**
 * A chain and its rules; `undefined` where there is none.
 * @param family of the table
 * @throws SluiceError `NETLINK_*` or `SOCKET_*`
 */
export async function findChain(
  table: string,
  chain: string,
  family: TableFamily = 'inet',
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
