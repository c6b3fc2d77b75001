/** Changes of a cluster, object by object. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { clusterChanges, EMPTY_CLUSTER, LiveCluster } from '../../../../policy/index.ts';
import { readCluster } from '../../../builders/api_objects.ts';
import { apiCluster } from '../../../builders/random_cluster.ts';

it('leads from any cluster to any other', () => {
  fc.assert(
    fc.property(apiCluster, apiCluster, (first, second) => {
      const live = new LiveCluster();
      const [before, after] = [readCluster(first), readCluster(second)];
      for (const change of clusterChanges(EMPTY_CLUSTER, before)) live.apply(change);
      expect({ ...live }).toEqual(before);
      for (const change of clusterChanges(live, after)) live.apply(change);
      expect({ ...live }).toEqual(after);
      expect(clusterChanges(live, after)).toEqual([]);
    }),
  );
});
