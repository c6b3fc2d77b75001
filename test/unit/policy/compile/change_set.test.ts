/** A change set begins empty, records how things were, and ends with a commit. */
import { expect, it } from 'vitest';
import { ChangeSet } from '../../../../policy/compile/change_set.ts';

const WEB = { namespace: 'shop', name: 'web', uid: 'u', workload: 'pod/web', labels: {}, ports: [] };

it('keeps how a thing was before the first of its changes', () => {
  const changes = new ChangeSet();
  changes.recordOwner('10.0.0.1', undefined);
  changes.recordOwner('10.0.0.1', WEB);
  changes.recordOwner('10.0.0.2', WEB);
  changes.recordOwner('10.0.0.2', undefined);
  expect([...changes.owners]).toEqual([
    ['10.0.0.1', undefined],
    ['10.0.0.2', WEB],
  ]);
});

it('begins again after a commit', () => {
  const changes = new ChangeSet();
  changes.recordOwner('10.0.0.1', undefined);
  changes.commit(() => true);
  expect(changes.owners.size).toBe(0);
  changes.recordOwner('10.0.0.1', WEB);
  expect([...changes.owners]).toEqual([['10.0.0.1', WEB]]);
});

it('keeps a followed pod beyond commits, until its shape has been looked at', () => {
  const changes = new ChangeSet();
  changes.recordShape('shop/web');
  changes.recordShape('shop/stranger');
  changes.commit((key) => key === 'shop/web');
  expect([...changes.reshaped]).toEqual(['shop/web']);
  changes.shapeKnown('shop/web');
  expect(changes.reshaped.size).toBe(0);
});
