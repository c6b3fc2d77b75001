/** The guard's plan as the kernel keeps it: what the redirect step found, read back from the table. */
import { canonicalAddress, SluiceError } from '../../policy/index.ts';
import { runNft } from '../gate/nft.ts';
import { tryTool } from '../tools.ts';
import { type Binding, GUARD_PARTS, type GuardPart, type GuardPlan, type NodeAddress } from './plan.ts';
import { FRAMES_TABLE, GUARD_TABLE, WITH_LINKS } from './ruleset.ts';

/** How nft says that there is no such table or chain. */
const NO_SUCH_THING = /no such file or directory/i;

/** One element as `nft -j` writes it: bare, or with a comment or a counter around it. */
type Element = string | { readonly elem: { readonly val: Value; readonly comment?: string } } | Value;
type Value = string | { readonly concat: readonly string[] };

/**
 * The plan of the guard that is in the kernel; `undefined` where there is none.
 * @throws SluiceError `GATE_UNAVAILABLE` without nft
 */
export async function keptPlan(): Promise<GuardPlan | undefined> {
  const { status, stdout } = await tryTool('nft', ['-j', 'list', 'table', ...GUARD_TABLE.split(' ')]).catch(
    (cause: unknown) => {
      throw new SluiceError('GATE_UNAVAILABLE', (cause as Error).message, { cause });
    },
  );
  if (status !== 0) return undefined;
  const { nftables } = JSON.parse(stdout) as {
    nftables: { set?: { name: string; elem?: Element[] } }[];
  };
  const sets = new Map(
    nftables.flatMap(({ set }) => (set === undefined ? [] : [[set.name, set.elem ?? []]])),
  );
  const of = (name: string) => (sets.get(name) ?? []).map(valueAndComment);
  const uplinks = of('uplinks').map(({ value }) => value[0]);
  const links = of('uplinks')
    .filter(({ comment }) => comment === WITH_LINKS)
    .map(({ value }) => value[0]);
  return {
    uplinks,
    links,
    nodes: ([4, 6] as const).flatMap((family) => {
      const bound = new Map(of(`bound${family}`).map(({ value: [address, link = ''] }) => [address, link]));
      const alone = new Map(of(`alone${family}`).map(({ value, comment }) => [value[0], comment]));
      return of(`node${family}`).map(({ value: [address], comment }) =>
        nodeAddress(address, comment, bound.get(address), alone.get(address)),
      );
    }),
    routers: of('routers6').map(({ value }) => value[0]),
  };
}

/** The chains with hooks, and what tells that they have their rules. */
const HOOKED: Readonly<Record<GuardPart, readonly string[]>> = {
  packets: [`${GUARD_TABLE} in`, `${GUARD_TABLE} out`],
  frames: [`${FRAMES_TABLE} out`],
};

/**
 * The parts of the guard that the kernel does not have, or not whole. Where no interface has link-layer addresses there are no
 * frames to look at.
 * @throws SluiceError `GATE_*` when it cannot be told
 */
export async function missingParts({ links }: Pick<GuardPlan, 'links'>): Promise<readonly GuardPart[]> {
  const missing: GuardPart[] = [];
  for (const part of GUARD_PARTS) {
    if (part === 'frames' && links.length === 0) continue;
    const whole = await Promise.all(HOOKED[part].map(isHooked));
    if (whole.includes(false)) missing.push(part);
  }
  return missing;
}

async function isHooked(chain: string): Promise<boolean> {
  const listed = await runNft(`list chain ${chain}\n`).catch((error: unknown) => {
    if (error instanceof SluiceError && NO_SUCH_THING.test(error.message)) return '';
    throw error;
  });
  return listed.includes(' hook ') && listed.includes('goto drop_');
}

function valueAndComment(element: Element): {
  readonly value: readonly [string, ...string[]];
  readonly comment: string;
} {
  const inner = typeof element === 'object' && 'elem' in element ? element.elem : { val: element };
  const [first = '', ...rest] = typeof inner.val === 'string' ? [inner.val] : inner.val.concat;
  return { value: [first, ...rest], comment: ('comment' in inner ? inner.comment : undefined) ?? '' };
}

function nodeAddress(
  address: string,
  comment: string,
  link: string | undefined,
  why: string | undefined,
): NodeAddress {
  const [, from, hop, device] = /^(settings|gateway)(?: via (\S+) dev (\S+))?$/.exec(comment) ?? [];
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
