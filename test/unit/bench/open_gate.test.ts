import { afterEach, expect, test } from 'vitest';
import { openGateRules } from '../../../bench/paths/open_gate.ts';
import { writeManifests } from '../../../bench/rig/manifest_folder.ts';
import { CLIENT_ADDRESS, manifests, pathAddress } from '../../../bench/rig/manifests.ts';
import type { Path } from '../../../bench/rig/path.ts';
import { compile } from '../../../policy/index.ts';
import { wholeRuleset } from '../../../sidecar/gate/kernel/index.ts';
import { atOnce, GatePlanner } from '../../../sidecar/gate/plan/index.ts';
import { readManifests } from '../../../sources/index.ts';

const path = (name: string, policies: number): Path => ({
  name,
  label: name,
  policies,
  prepare: async () => undefined,
});
const PATHS = [path('sluice', 1), path('haproxy', 0)];

const { folder, remove } = writeManifests(manifests(PATHS));
afterEach(() => remove());

test('the gate before another proxy is that of a sidecar, of which its policy admits the client', async () => {
  const { cluster, problems } = await readManifests([folder]);
  expect(problems).toEqual([]);
  const rules = openGateRules(cluster, { name: 'haproxy' });
  expect(rules).toContain(`elements = { ${CLIENT_ADDRESS}`.slice('elements = { '.length));

  const table = compile(cluster, 'bench/sluice', 1);
  const settings = { deny: 'drop', otherProtocols: 'drop', adminPort: 15_021 } as const;
  const sluice = atOnce(wholeRuleset(atOnce(new GatePlanner().plan(table)), settings));
  expect(rules.replaceAll(pathAddress(1), pathAddress(0))).toBe(sluice);
});
