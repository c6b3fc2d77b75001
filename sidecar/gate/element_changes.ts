/** Changes of the plan that only touch elements: peers and backends that come or go. Most changes of a cluster are. */
import { addressBytes } from '../netlink/address_bytes.ts';
import { CHAINS_MAX, ELEMENTS_MAX, type ElementChange } from '../netlink/nft_elements.ts';
import { chainName, goneChains, newChains, serviceChain, WAYS, type Way } from './chains.ts';
import { changedPairs } from './changes.ts';
import { allPorts, type DirectionPlan, type GatePlan, servedPorts } from './plan.ts';

/** What to tell the kernel. */
export interface ElementsOnly {
  readonly changes: readonly ElementChange[];
  /** To be removed afterwards. */
  readonly goneChains: readonly string[];
}

const FAMILIES = [4, 6] as const;
const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** The change from the plan in force to the next; `undefined` where rules change too, or very much does. */
export function elementsOnly(before: GatePlan, after: GatePlan): ElementsOnly | undefined {
  const isSameFrame =
    before.nodeIPs.join() === after.nodeIPs.join() && before.ownIPs.join() === after.ownIPs.join();
  if (!isSameFrame || !WAYS.every((way) => keepsRules(way, before[way.direction], after[way.direction])))
    return undefined;
  const changes = WAYS.flatMap((way) => wayChanges(way, before[way.direction], after[way.direction]));
  const gone = WAYS.flatMap((way) => goneChains(way, before[way.direction], after[way.direction]));
  const count = changes.reduce((sum, { removed, added }) => sum + removed.length + added.length, 0);
  if (count > ELEMENTS_MAX || gone.length > CHAINS_MAX) return undefined;
  return { changes, goneChains: gone };
}

function keepsRules(way: Way, before: DirectionPlan, after: DirectionPlan): boolean {
  if (before.isolated !== after.isolated || before.rest !== after.rest) return false;
  if (
    before.blocks !== after.blocks &&
    !FAMILIES.every((family) => sameMap(before.blocks[family], after.blocks[family]))
  )
    return false;
  // The hook that translates comes with the first backend and goes with the last.
  if ((before.services.backends.size === 0) !== (after.services.backends.size === 0)) return false;
  return newChains(way, before, after).length === 0;
}

function sameMap(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): boolean {
  return before.size === after.size && [...before].every(([key, value]) => after.get(key) === value);
}

function wayChanges(way: Way, before: DirectionPlan, after: DirectionPlan): readonly ElementChange[] {
  const lead = (id: string) => chainName(way, id);
  const pods = FAMILIES.map((family) =>
    changed(`${way.name}_pods${family}`, before.pods[family], after.pods[family], addressBytes, lead),
  );
  if (way.name === 'in' || before.services === after.services) return pods;
  const virtual = FAMILIES.flatMap((family) => {
    const [old, now] = [before.services, after.services];
    return [
      changed(
        `virtual${family}`,
        servedPorts(old, family),
        servedPorts(now, family),
        virtualKeyBytes,
        serviceChain,
      ),
      changed(`services${family}`, allPorts(old, family), allPorts(now, family), virtualKeyBytes),
    ];
  });
  return [...pods, ...virtual];
}

function changed(
  object: string,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  bytes: (key: string) => Uint8Array,
  lead?: (id: string) => string,
): ElementChange {
  const { added, removed } = changedPairs(before, after);
  return {
    object,
    removed: removed.map(([key]) => bytes(key)),
    added: added.map(([key, id]) => ({
      key: bytes(key),
      ...(lead === undefined ? {} : { chain: lead(id) }),
    })),
  };
}

/** `10.96.0.10 . tcp . 80`: each part begins at a multiple of four bytes. */
function virtualKeyBytes(key: string): Uint8Array {
  const [address = '', protocol = '', port = ''] = key.split(' . ');
  const number = Number(port);
  return Uint8Array.of(
    ...addressBytes(address),
    ...[PROTOCOL_NUMBERS[protocol] ?? 0, 0, 0, 0],
    ...[number >>> 8, number & 0xff, 0, 0],
  );
}
