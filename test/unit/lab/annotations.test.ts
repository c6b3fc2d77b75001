/** Annotations of pods in a lab: what `up` and `apply` refuse before anything is stored, and what they warn of. */
import { describe, expect, test } from 'vitest';
import { layOut } from '../../../lab/network/topology.ts';
import { checkAnnotations } from '../../../lab/objects/annotations.ts';
import { readForLab } from '../../../lab/objects/store.ts';
import { clusterOf } from '../../../sources/cluster_merge.ts';
import { manifestDirectory, pod } from '../../builders/cli_manifests.ts';
import { namespace } from '../../builders/manifests.ts';

type Manifest = Readonly<Record<string, unknown>>;
type Annotations = Readonly<Record<string, unknown>>;

function annotated(manifest: Manifest, annotations: Annotations): Manifest {
  return { ...manifest, metadata: { ...(manifest.metadata as object), annotations } };
}

/** Reads the manifests and checks them, as `lab up` does; gives the warnings. */
async function checked(...manifests: readonly Manifest[]): Promise<string[]> {
  const warnings: string[] = [];
  const { objects } = await readForLab([manifestDirectory(...manifests)], (line) => warnings.push(line));
  checkAnnotations(layOut('test', clusterOf(objects), undefined), objects);
  return warnings;
}

const api = (annotations: Annotations, hostNetwork = false): Manifest =>
  annotated(pod('shop/api', { ip: '10.1.0.10', hostNetwork }), annotations);
const PERMISSION = { 'sluice.dev/allow-excluded-ports': 'true' };
const REFUSED = expect.objectContaining({ code: 'LAB_MANIFESTS_INVALID' });

describe('a pod’s annotations', () => {
  test('are refused all at once, each with what it wants', async () => {
    await expect(
      checked(namespace('shop'), api({ 'sluice.dev/deny': 'maybe', 'sluice.dev/log-level': 7 })),
    ).rejects.toMatchObject({
      code: 'LAB_MANIFESTS_INVALID',
      message: expect.stringMatching(
        /nothing was changed:\n {2}pod shop\/api: annotation sluice\.dev\/deny .*\n {2}pod shop\/api: annotation sluice\.dev\/log-level /,
      ),
    });
  });

  test('without a value are empty text, as in a cluster', async () => {
    await expect(checked(namespace('shop'), api({ 'sluice.dev/path': null }))).rejects.toMatchObject({
      message: expect.stringContaining("pod shop/api: annotation sluice.dev/path is '': "),
    });
  });

  test('may exclude ports for as long as the namespace allows it', async () => {
    const excluding = api({ 'sluice.dev/excluded-ports': '9090' });
    expect(await checked(annotated(namespace('shop'), PERMISSION), excluding)).toEqual([]);
    await expect(checked(namespace('shop'), excluding)).rejects.toThrow(REFUSED);
    await expect(checked(excluding)).rejects.toThrow(REFUSED);
  });

  test('say which way connections take, for the pod or as the usual way of its namespace', async () => {
    const shop = annotated(namespace('shop'), { 'sluice.dev/path': 'auto' });
    expect(await checked(shop, api({ 'sluice.dev/path': '5432=proxy' }))).toEqual([]);
    await expect(checked(shop, api({ 'sluice.dev/path': 'fast' }))).rejects.toMatchObject({
      message: expect.stringContaining(
        "pod shop/api: annotation sluice.dev/path is 'fast': 'fast' is not one",
      ),
    });
    await expect(
      checked(annotated(namespace('shop'), { 'sluice.dev/path': 'fast' }), api({})),
    ).rejects.toThrow(REFUSED);
  });

  test('mean nothing where there is no sidecar, or no value is wrong', async () => {
    expect(await checked(namespace('shop'), api({ 'sluice.dev/deny': 'maybe' }, true))).toEqual([]);
    expect(await checked(namespace('shop'), api({ 'sluice.dev/deny': 'reset', other: '' }))).toEqual([]);
    expect(await checked(namespace('shop'), pod('shop/web', { ip: '10.1.0.11' }))).toEqual([]);
  });

  test('that nothing reads are warned of, in the words of admission', async () => {
    expect(await checked(namespace('shop'), api({ 'sluice.dev/denny': 'reset' }))).toEqual([
      'pod shop/api: annotation sluice.dev/denny means nothing to sluice: look at its spelling',
    ]);
  });
});
