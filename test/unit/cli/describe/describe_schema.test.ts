/** What `sluice describe` prints as JSON has the form that docs/schema describes, and no field that it does not. */
import { expect, test } from 'vitest';
import { deployment } from '../../../builders/cli_manifests.ts';
import { schemaProblems } from '../support/schema.ts';
import { describeIn, shopFiles } from './shop_files.ts';

test.each(['shop/deploy/cart', 'shop/db-0', 'shop/deploy/absent', 'ns/shop', 'shop/netpol/db-clients'])(
  '%s',
  async (target) => {
    const more = JSON.stringify(deployment('shop/absent', { app: 'absent' }));
    const { stdout } = await describeIn(shopFiles(more), target, '-o', 'json');
    expect(schemaProblems('describe.v1.json', stdout)).toEqual([]);
  },
);
