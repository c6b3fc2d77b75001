/** What an injector says of a pod: as much as the rules ask for, and what may have been meant. */
import { expect, test } from 'vitest';
import type { PodsPeer } from '../../../../policy/rules/index.ts';
import { asFarAsAsked, askedOfPeers } from '../../../../policy/table/index.ts';

const PEERS: readonly PodsPeer[] = [
  {
    kind: 'pods',
    podSelector: {
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['front'] },
        { key: 'zone', operator: 'In', values: ['a', 'b'] },
        { key: 'old', operator: 'NotIn', values: ['yes'] },
        { key: 'none', operator: 'Exists', values: [] },
      ],
    },
    namespaceSelector: { matchLabels: { name: 'shop', empty: '' }, matchExpressions: [] },
  },
];

const asked = askedOfPeers(PEERS, { direction: 'egress', isolating: [], rules: [] });

function known(labels: Record<string, string>, namespaceLabels: Record<string, string>) {
  const peer = { namespace: 'shop', name: 'web-1', workload: 'deploy/web', ports: [] };
  return asFarAsAsked({ ...peer, labels, namespaceLabels }, asked);
}

test('labels whose key a rule asks for, and those whose value a rule asks for alone', () => {
  const { labels, namespaceLabels } = known(
    {
      app: 'x',
      tier: 'y',
      zone: 'z',
      old: 'no',
      'app.kubernetes.io/name': 'web',
      role: 'front',
      where: 'a',
      was: 'yes',
      secret: 's',
    },
    { 'kubernetes.io/metadata.name': 'shop', team: 'red', blank: '' },
  );
  expect(Object.keys(labels)).toEqual(['app', 'tier', 'zone', 'old', 'app.kubernetes.io/name', 'role']);
  expect(namespaceLabels).toEqual({ 'kubernetes.io/metadata.name': 'shop' });
});

test('sixteen at most because of their value, and the name of a namespace always', () => {
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`label-${at}`, 'web']));
  expect(Object.keys(known({ ...many, app: 'x' }, {}).labels)).toHaveLength(17);
  const named = Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`label-${at}`, 'shop']));
  const { namespaceLabels } = known({}, { ...named, 'kubernetes.io/metadata.name': 'shop' });
  expect(namespaceLabels).toHaveProperty(['kubernetes.io/metadata.name']);
  expect(Object.keys(namespaceLabels)).toHaveLength(17);
});
