/** Groups by what their selectors demand: none that a pod is in is missed, and few others are found. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DemandIndex } from '../../../../policy/compile/group_demand.ts';
import type { LabelSelector, Labels } from '../../../../policy/model.ts';
import { namespaceMatches, type PodsPeer, podMatches } from '../../../../policy/rules/peer.ts';

const NAME = 'kubernetes.io/metadata.name';
const KEYS = ['app', 'team', 'constructor', NAME];
const VALUES = ['', 'a', 'b'];

const labels: fc.Arbitrary<Labels> = fc.dictionary(fc.constantFrom(...KEYS), fc.constantFrom(...VALUES), {
  maxKeys: 3,
  noNullPrototype: true,
});

const selector: fc.Arbitrary<LabelSelector> = fc.record({
  matchLabels: labels,
  matchExpressions: fc.array(
    fc.record({
      key: fc.constantFrom(...KEYS),
      operator: fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist'),
      values: fc.array(fc.constantFrom(...VALUES), { minLength: 1, maxLength: 2 }),
    }),
    { maxLength: 2 },
  ),
});

const namespace = fc.constantFrom('a', 'b');

const peer: fc.Arbitrary<PodsPeer> = fc
  .tuple(fc.oneof(namespace, selector), fc.option(selector, { nil: undefined }))
  .map(([of, podSelector]) => ({
    kind: 'pods',
    ...(typeof of === 'string' ? { namespace: of } : { namespaceSelector: of }),
    ...(podSelector === undefined ? {} : { podSelector }),
  }));

/** As every namespace has it, its name is among its labels. */
const pod = fc.tuple(namespace, labels, labels).map(([name, own, others]) => ({
  namespace: name,
  labels: own,
  namespaceLabels: { ...others, [NAME]: name },
  ports: [],
}));

test('every group that a pod is in is found, each once', () => {
  fc.assert(
    fc.property(fc.array(peer, { maxLength: 20 }), fc.array(pod, { minLength: 1 }), (peers, pods) => {
      const index = new DemandIndex<PodsPeer>();
      for (const one of peers) index.add(one, one);
      for (const one of pods) {
        const found = index.find(one, one.namespaceLabels);
        expect(new Set(found).size).toBe(found.length);
        const isIn = (group: PodsPeer) => namespaceMatches(group, one) && podMatches(group, one);
        const inNamespace = index.findInNamespace(one.namespace, one.namespaceLabels);
        for (const group of peers.filter(isIn)) {
          expect(found).toContain(group);
          expect(inNamespace).toContain(group);
        }
      }
    }),
  );
});

test('what was taken out is not found', () => {
  fc.assert(
    fc.property(fc.array(peer), fc.array(peer), pod, (stay, go, one) => {
      const [index, expected] = [new DemandIndex<PodsPeer>(), new DemandIndex<PodsPeer>()];
      for (const group of [...stay, ...go]) index.add(group, group);
      for (const group of go) index.delete(group, group);
      for (const group of stay) expected.add(group, group);
      const find = (of: DemandIndex<PodsPeer>) => new Set(of.find(one, one.namespaceLabels));
      expect(find(index)).toEqual(find(expected));
    }),
  );
});

/** A selector of one label, or of none. */
const only = (key: string, value: string): LabelSelector => ({
  matchLabels: { [key]: value },
  matchExpressions: [],
});

test.each<[string, (place: number) => PodsPeer]>([
  ['the namespace of the policy', (place) => ({ kind: 'pods', namespace: `n${place}` })],
  ['a namespace by name', (place) => ({ kind: 'pods', namespaceSelector: only(NAME, `n${place}`) })],
  [
    'a namespace by name in an expression',
    (place) => ({
      kind: 'pods',
      namespaceSelector: {
        matchLabels: {},
        matchExpressions: [{ key: NAME, operator: 'In', values: [`n${place}`] }],
      },
    }),
  ],
  ['namespaces by a label', (place) => ({ kind: 'pods', namespaceSelector: only('team', `${place}`) })],
])('of groups that ask for the same label and %s only that of the pod is found', (_, peerOf) => {
  const index = new DemandIndex<number>();
  for (let place = 0; place < 100; place += 1) {
    index.add({ ...peerOf(place), podSelector: only('app', 'web') }, place);
    index.add({ ...peerOf(place), podSelector: only('app', 'db') }, place);
  }
  const namespaceLabels = { [NAME]: 'n7', team: '7' };
  expect(index.find({ namespace: 'n7', labels: { app: 'web' } }, namespaceLabels)).toEqual([7]);
});
