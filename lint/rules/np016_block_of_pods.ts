/** NP016. */
import { cidrContains, type IPBlock, objectKey, parseAddress, parseCidr } from '../../policy/index.ts';
import { counted, listed, type Model, nameOf, rulesIn } from '../model/index.ts';
import type { Rule } from '../rule.ts';

/** Blocks with a shorter prefix are "everybody", with or without parts of it. */
const LEAST_PREFIX = 1;

/** An address block for what has no fixed address. */
export const np016: Rule = {
  code: 'NP016',
  severity: 'warning',
  title: 'ipBlock that covers addresses of pods or Services',
  explanation: `Pods get other addresses each time they start, so that an address block of pods means other pods tomorrow; they are meant by
labels. The address of a Service is never seen by policies: what is judged is the pod behind it, at the pod's address.

It looks at addresses that pods and Services of the objects have. Blocks of all addresses (0.0.0.0/0, ::/0) are left out, and so are nodes:
nothing else than their addresses means them.`,
  remedy: 'Use podSelector and namespaceSelector. For a Service, select the pods behind it.',
  *check(model) {
    const addresses = addressesOf(model);
    if (addresses.length === 0) return;
    const covered = new Map<string, Covered>();
    for (const linted of model.policies)
      for (const { rule, path, peersField } of rulesIn(linted))
        for (const [at, peer] of rule.peers.entries()) {
          if (peer.kind !== 'ipBlock') continue;
          const { cidr, except } = peer.ipBlock;
          const key = [cidr, ...except].join();
          const found = covered.get(key) ?? coveredBy(peer.ipBlock, addresses);
          covered.set(key, found);
          const { pods, services } = found;
          if (pods.length + services.length === 0) continue;
          const names = listed((pods.length > 0 ? pods : services).slice(0, NAMED), NAMED);
          yield {
            object: linted.object,
            path: [...path, peersField, at, 'ipBlock', 'cidr'],
            message:
              pods.length > 0
                ? `${nameOf(linted)}: ${cidr} covers the addresses of ${counted(pods.length, 'pod')} (such as ${names}), which change; select pods by label`
                : `${nameOf(linted)}: ${cidr} has the address of ${counted(services.length, 'Service')} (such as ${names}): policies see the pods behind it`,
            fix: {
              text: pods.length > 0 ? 'a podSelector' : 'a podSelector for the pods behind the Service',
            },
          };
        }
  },
};

/** Names of what is in a block. */
interface Covered {
  readonly pods: readonly string[];
  readonly services: readonly string[];
}

/** Names in a message. */
const NAMED = 2;

function coveredBy({ cidr, except }: IPBlock, addresses: readonly Named[]): Covered {
  const block = parseCidr(cidr)?.cidr;
  if (block === undefined || block.prefix < LEAST_PREFIX) return { pods: [], services: [] };
  const parts = except.flatMap((text) => parseCidr(text)?.cidr ?? []);
  const inside = addresses.filter(
    ({ words }) =>
      words !== undefined && cidrContains(block, words) && !parts.some((part) => cidrContains(part, words)),
  );
  const names = (kind: Named['kind']) => inside.flatMap((one) => (one.kind === kind ? [one.name] : []));
  return { pods: names('pod'), services: names('Service') };
}

interface Named {
  readonly kind: 'pod' | 'Service';
  readonly name: string;
  readonly words: ReturnType<typeof parseAddress>;
}

function addressesOf({ cluster, services }: Model): readonly Named[] {
  const pods = [...cluster.pods.values()].filter(({ hostNetwork }) => !hostNetwork);
  return [
    ...pods.flatMap(({ ips, namespace, name }) =>
      ips.map((ip): Named => ({ kind: 'pod', name: objectKey(namespace, name), words: parseAddress(ip) })),
    ),
    ...services.flatMap(({ service: { clusterIPs }, object }) =>
      clusterIPs.map((ip): Named => ({ kind: 'Service', name: object.key, words: parseAddress(ip) })),
    ),
  ];
}
