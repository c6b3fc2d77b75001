/** The guard's plan as the kernel keeps it: what the redirect step found, read back from the table. */
import { canonicalAddress } from '../../policy/index.ts';
import { areAbsent, findChain, listNft } from '../kernel/index.ts';
import { type Binding, GUARD_PARTS, type GuardPart, type GuardPlan, type NodeAddress } from './plan.ts';
import { GUARD_TABLE, GUARD_TABLE_NAME, WITH_LINKS } from './ruleset.ts';
import { LINK, listOf, parsed, recordOf, textOf } from './tool_answer.ts';

/** One element of a set: `nft -j` writes it bare, or with a comment or a counter around it. */
interface Element {
  readonly value: readonly string[];
  readonly comment: string | undefined;
}

/**
 * The plan of the guard that is in the kernel; `undefined` where there is none.
 * @throws SluiceError `GATE_UNAVAILABLE` without nft, `GATE_REFUSED` when nft cannot say now, `TOOL_ANSWER_UNKNOWN`
 */
export async function keptPlan(): Promise<GuardPlan | undefined> {
  if (await areAbsent([{ family: 'inet', table: GUARD_TABLE_NAME, chain: 'in' }])) return undefined;
  const listed = await listNft(`table ${GUARD_TABLE}`, '-j');
  if (listed === undefined) return undefined;
  const sets = new Map<string, unknown>();
  for (const object of listOf(recordOf(parsed(listed, 'nft'), 'nft').nftables, 'nft')) {
    const { set } = recordOf(object, 'nft: an object');
    if (set === undefined) continue;
    const { name, elem = [] } = recordOf(set, 'nft: a set');
    sets.set(textOf(name, 'nft: the name of a set'), elem);
  }
  // Only these sets are read: what packets put into the others has forms of its own.
  const of = (name: string): readonly (Element & { readonly first: string })[] => {
    const what = `nft: the set ${name}`;
    return listOf(sets.get(name) ?? [], what).map((one) => {
      const element = elementOf(one, what);
      return { ...element, first: element.value[0] ?? '' };
    });
  };
  return {
    uplinks: of('uplinks').map(({ first }) => first),
    links: of('uplinks')
      .filter(({ comment }) => comment === WITH_LINKS)
      .map(({ first }) => first),
    nodes: ([4, 6] as const).flatMap((family) => {
      const bound = new Map(
        of(`bound${family}`).map(({ first, value }) => [first, textOf(value[1], 'nft: a binding', LINK)]),
      );
      const alone = new Map(of(`alone${family}`).map(({ first, comment }) => [first, comment ?? '']));
      return of(`node${family}`).map(({ first, comment }) =>
        nodeAddress(first, comment, bound.get(first), alone.get(first)),
      );
    }),
    routers: of('routers6').map(({ first }) => first),
  };
}

/** The chains with hooks, and one to which each leads as long as its rules are there. */
const HOOKED: Readonly<Record<GuardPart, readonly (readonly [chain: string, leadsTo: string])[]>> = {
  packets: [
    ['in', 'own_node4'],
    ['out', 'drop_forged'],
  ],
  frames: [['out', 'drop_forged']],
};
const FAMILIES: Readonly<Record<GuardPart, 'inet' | 'netdev'>> = { packets: 'inet', frames: 'netdev' };

/**
 * The parts of the guard that the kernel does not have, or not whole. Where no interface has link-layer addresses there are no
 * frames to look at.
 * @throws SluiceError `NETLINK_*` or `SOCKET_*` when the kernel does not say
 */
export async function missingParts({ links }: Pick<GuardPlan, 'links'>): Promise<readonly GuardPart[]> {
  const missing: GuardPart[] = [];
  for (const part of GUARD_PARTS) {
    if (part === 'frames' && links.length === 0) continue;
    for (const [chain, target] of HOOKED[part]) {
      const found = await findChain(GUARD_TABLE_NAME, chain, FAMILIES[part]);
      if (found?.hooked === true && found.rules.some((rule) => rule.leadsTo(target))) continue;
      missing.push(part);
      break;
    }
  }
  return missing;
}

function elementOf(element: unknown, what: string): Element {
  if (typeof element === 'string') return { value: [element], comment: undefined };
  const outer = recordOf(element, what);
  const { val, comment } = outer.elem === undefined ? { val: element } : recordOf(outer.elem, what);
  return {
    value:
      typeof val === 'string'
        ? [val]
        : listOf(recordOf(val, what).concat, what).map((part) => textOf(part, what)),
    comment: comment === undefined ? undefined : textOf(comment, what),
  };
}

/** `settings`, or `gateway via 10.0.0.1 dev eth0`. */
const NODE_COMMENT = /^(settings|gateway)(?: via (\S+) dev (\S+))?$/;

function nodeAddress(
  address: string,
  comment: string | undefined,
  link: string | undefined,
  why: string | undefined,
): NodeAddress {
  const text = textOf(comment, `nft: the comment of ${address}`, NODE_COMMENT);
  const [, from, hop, device] = NODE_COMMENT.exec(text) ?? [];
  const binding: Binding =
    link !== undefined
      ? { kind: 'link', link }
      : why !== undefined
        ? { kind: 'address-alone', why }
        : { kind: 'unresolved' };
  return {
    address: canonicalAddress(address),
    from: from === 'gateway' ? 'gateway' : 'settings',
    hop: hop === undefined || device === undefined ? undefined : { address: hop, device },
    binding,
  };
}
