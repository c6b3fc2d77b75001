/** Address groups are kept for as long as a policy needs them, and have the members that their selectors say. */
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { Compiler } from '../../../../policy/compile/compiler.ts';
import { Directory } from '../../../../policy/compile/directory.ts';
import { Groups } from '../../../../policy/compile/groups.ts';
import { groupId } from '../../../../policy/compile/live_group.ts';
import type { Labels, Pod } from '../../../../policy/model.ts';
import { NAMESPACE_NAME_LABEL } from '../../../../policy/rules/ownership.ts';
import { namespaceMatches, type PodsPeer, podMatches } from '../../../../policy/rules/peer.ts';
import { matchesSelector } from '../../../../policy/rules/selector.ts';

// Counts how often a selector is tried on labels.
vi.mock(import('../../../../policy/rules/selector.ts'), async (original) => {
  const actual = await original();
  return { ...actual, matchesSelector: vi.fn(actual.matchesSelector) };
});

const SHOP: PodsPeer = { kind: 'pods', namespace: 'shop' };

it('is gone when the last policy that needs it is, and not before', () => {
  const groups = new Groups(new Directory(), () => ({}));
  const isThere = () => groups.get(groupId(SHOP)) !== undefined;
  groups.retain(SHOP);
  groups.retain(SHOP);
  groups.release(SHOP);
  groups.commit();
  expect(isThere()).toBe(true);
  groups.release(SHOP);
  expect(isThere()).toBe(true); // tables may still need the change that removes it
  groups.commit();
  expect(isThere()).toBe(false);
});

it('stays the same when one policy takes the place of another', () => {
  const groups = new Groups(new Directory(), () => ({}));
  groups.retain(SHOP);
  const before = groups.get(groupId(SHOP));
  groups.release(SHOP);
  groups.retain(SHOP);
  groups.commit();
  expect(groups.get(groupId(SHOP))).toBe(before);
});

const labels = fc.dictionary(fc.constantFrom('app', 'team'), fc.constantFrom('a', 'b'), {
  noNullPrototype: true,
});
const selector = fc.record({ matchLabels: labels, matchExpressions: fc.constant([]) });
const name = fc.constantFrom('n0', 'n1', 'n2');
const peer: fc.Arbitrary<PodsPeer> = fc.oneof(
  fc.record({ kind: fc.constant('pods' as const), namespace: name, podSelector: selector }),
  fc.record({ kind: fc.constant('pods' as const), namespaceSelector: selector, podSelector: selector }),
  fc.record({
    kind: fc.constant('pods' as const),
    namespaceSelector: name.map((value) => ({
      matchLabels: { [NAMESPACE_NAME_LABEL]: value },
      matchExpressions: [],
    })),
    podSelector: selector,
  }),
);

type Step =
  | { readonly kind: 'pod'; readonly place: number; readonly namespace: string; readonly labels?: Labels }
  | { readonly kind: 'namespace'; readonly namespace: string; readonly labels: Labels };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record(
    { kind: fc.constant('pod' as const), place: fc.nat(4), namespace: name, labels },
    { requiredKeys: ['kind', 'place', 'namespace'] },
  ),
  fc.record({ kind: fc.constant('namespace' as const), namespace: name, labels }),
);

function podOf(namespace: string, place: number, own: Labels): Pod {
  const ips = [`10.0.0.${place}`];
  const others = { hostIPs: [], hostNetwork: false, phase: 'Running' as const, ports: [], workload: '' };
  return { namespace, name: `p${place}`, uid: `${namespace}-${place}`, labels: own, ips, ...others };
}

it('has the members that its selectors say, as pods and labels come and go', () => {
  fc.assert(
    fc.property(fc.array(peer), fc.array(step, { minLength: 1, maxLength: 30 }), (peers, steps) => {
      const directory = new Directory();
      const ofNamespaces = new Map<string, Labels>();
      const labelsOf = (namespace: string): Labels => ({
        ...ofNamespaces.get(namespace),
        [NAMESPACE_NAME_LABEL]: namespace,
      });
      const groups = new Groups(directory, labelsOf);
      const pods = new Map<string, Pod>();
      for (const [place, test] of peers.entries()) if (place % 2 === 0) groups.retain(test);
      for (const [place, one] of steps.entries()) {
        if (one.kind === 'namespace') {
          const before = labelsOf(one.namespace);
          ofNamespaces.set(one.namespace, one.labels);
          groups.namespaceChanged(one.namespace, before, labelsOf(one.namespace));
        } else {
          const key = `${one.namespace}/${one.place}`;
          const after = one.labels && podOf(one.namespace, one.place, one.labels);
          for (const change of directory.replace(pods.get(key), after, 'seen')) groups.ownerChanged(change);
          if (after === undefined) pods.delete(key);
          else pods.set(key, after);
        }
        if (place === Math.floor(steps.length / 2)) for (const test of peers) groups.retain(test);
        if (place % 3 === 0) groups.commit();
      }
      if (steps.length === 1) for (const test of peers) groups.retain(test);
      for (const test of peers) {
        const expected = [...directory.owners].flatMap(([address, { namespace, labels: own }]) => {
          const pod = { namespace, labels: own, namespaceLabels: labelsOf(namespace), ports: [] };
          return namespaceMatches(test, pod) && podMatches(test, pod) ? [address] : [];
        });
        expect([...(groups.get(groupId(test))?.group.members.keys() ?? [])].sort()).toEqual(expected.sort());
      }
    }),
  );
});

/** Namespaces with the same pods and policies, as many tools make them. */
function alike(namespaces: number): Compiler {
  const compiler = new Compiler();
  for (let place = 0; place < namespaces; place += 1) {
    const namespace = `n${place}`;
    for (const app of ['web', 'api', 'db']) {
      const podSelector = { matchLabels: { app }, matchExpressions: [] };
      const ingress = [{ peers: [{ kind: 'pods' as const, podSelector }], ports: [] }];
      const policyTypes = ['ingress' as const];
      const object = { namespace, name: app, podSelector, policyTypes, ingress, egress: [] };
      compiler.apply({ kind: 'NetworkPolicy', key: `${namespace}/${app}`, object });
    }
  }
  compiler.commit();
  return compiler;
}

it.each([10, 200])(
  'a pod that comes is tried on the selectors of its own namespace, of %d namespaces',
  (count) => {
    const compiler = alike(count);
    const asked = vi.mocked(matchesSelector);
    asked.mockClear();
    compiler.apply({ kind: 'Pod', key: 'n3/p0', object: podOf('n3', 0, { app: 'web' }) });
    compiler.commit();
    expect(asked.mock.calls.length).toBe(1);
  },
);
