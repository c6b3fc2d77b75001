import { expect, test } from 'vitest';
import { gatePaths, MOST_PEERS } from '../../../bench/paths/gated.ts';
import { writeManifests } from '../../../bench/rig/manifest_folder.ts';
import { CLIENT_ADDRESS, crowdManifests, crowdPod, manifests } from '../../../bench/rig/manifests.ts';
import { podOf } from '../../../bench/rig/path.ts';
import { compile } from '../../../policy/index.ts';
import { wholeRuleset } from '../../../sidecar/gate/kernel/index.ts';
import { atOnce, GatePlanner } from '../../../sidecar/gate/plan/index.ts';
import { readManifests } from '../../../sources/index.ts';

const SETTINGS = { deny: 'drop', otherProtocols: 'drop', adminPort: 15_021 } as const;

/** The gate of a pod that these manifests have. */
async function gateOf(objects: Parameters<typeof writeManifests>[0], pod: string): Promise<string> {
  const { folder, remove } = writeManifests(objects);
  try {
    const { cluster, problems } = await readManifests([folder]);
    expect(problems).toEqual([]);
    return atOnce(wholeRuleset(atOnce(new GatePlanner().plan(compile(cluster, pod, 1))), SETTINGS));
  } finally {
    remove();
  }
}

test('the gates have 0, 1,000 and 10,000 addresses beside the client, within what policies may have by default', async () => {
  const paths = gatePaths();
  const gates = await Promise.all(paths.map((path) => gateOf(manifests(paths), podOf(path))));
  const peers = gates.map((gate) => new Set(gate.match(/\b172\.30\.\d+\.\d+\b/g)).size);
  expect(peers).toEqual([0, 1000, 10_000]);
  for (const gate of gates) expect(gate).toContain(CLIENT_ADDRESS);
  expect(paths.at(-1)?.name).toBe(MOST_PEERS);
});

test('the pods of a crowd have a gate each', async () => {
  const objects = crowdManifests(50, {});
  expect(await gateOf(objects, crowdPod(49))).toContain('10.1.1.10');
});
