/** What is beyond the bound of changes is counted all the same. */
import { expect, test } from 'vitest';
import {
  comparedEnds,
  createConnectivity,
  createNetworks,
  groupEnds,
  knownPods,
} from '../../../../cli/connectivity/index.ts';
import { compare } from '../../../../cli/diff/compare.ts';
import { apiPod, apiPolicy, readCluster } from '../../../builders/api_objects.ts';

test('changes beyond the bound are counted, and said to be left out', async () => {
  const pods = ['a', 'b', 'c'].map((app) => apiPod(`shop/${app}`, { labels: { app }, ips: [] }));
  const closed = ['a', 'b', 'c'].map((app) =>
    apiPolicy(`shop/${app}`, { podSelector: { matchLabels: { app } } }),
  );
  const networks = createNetworks([]);
  const sideOf = (policies: typeof closed) => {
    const cluster = readCluster({ pods, policies });
    const manifests = { cluster, objects: [], others: [], files: [], problems: [] };
    return { connectivity: createConnectivity(cluster, networks), pods: knownPods(manifests).pods };
  };
  const groups = groupEnds(comparedEnds(sideOf([]), sideOf(closed), networks));
  const whole = await compare(
    groups,
    () => false,
    async () => {},
  );
  expect(whole).toMatchObject({ counts: { wider: 0, changed: 0, narrower: 9 }, leftOut: 0 });
  const some = await compare(
    groups,
    () => false,
    async () => {},
    2,
  );
  expect(some).toMatchObject({ counts: whole.counts, unchanged: whole.unchanged, leftOut: 7 });
  expect(some.changes).toHaveLength(2);
});
