/** Reads what a command was told to look at. */
import { unreachable } from '../../common/errors.ts';
import { createPlaces, type Manifests } from '../../sources/index.ts';
import type { ClusterTarget } from './cluster/index.ts';
import { readFiles } from './files.ts';
import type { Input, Origin } from './input.ts';
import type { InputChoice } from './input_flags.ts';
import type { ReadContext } from './read_context.ts';
import type { Scope } from './scope.ts';

/**
 * @param scope what is needed of a cluster, given the namespace of names without one
 * @param target the cluster that is meant, where it has been chosen before
 * @throws SluiceError `MANIFEST_UNREADABLE`, `GIT_UNREADABLE`, `INPUT_TOO_LARGE`, `LAB_NOT_FOUND`, `KUBECONFIG_UNUSABLE`,
 * `CLUSTER_UNREADABLE`, `RIGHT_MISSING`
 */
export async function readInput(
  choice: InputChoice,
  scope: (namespace: string) => Scope,
  context: ReadContext,
  target?: ClusterTarget,
): Promise<Input> {
  const given = choice.namespace === undefined ? {} : { namespace: choice.namespace };
  switch (choice.kind) {
    case 'files': {
      const manifests = await readFiles(choice.paths, { ...given, ...context });
      return inputOf({ kind: 'files', paths: choice.paths }, 'manifests', manifests, given);
    }
    case 'lab': {
      const { readLab } = await import('./lab.ts');
      const manifests = await readLab(choice.lab, context);
      // Where the lab keeps its objects is nobody's to edit: they have no places.
      return inputOf({ kind: 'lab', lab: choice.lab }, `objects of lab ${choice.lab}`, manifests, given, []);
    }
    case 'cluster': {
      // The library of the Kubernetes API takes half a second to load: only where it is used.
      const { readCluster } = await import('./cluster/index.ts');
      const { origin, manifests, namespace, ...unknown } = await readCluster(choice, scope, context, target);
      return {
        ...inputOf(origin, `cluster (context ${origin.context})`, manifests, { namespace }),
        ...unknown,
      };
    }
    default:
      return unreachable(choice);
  }
}

function inputOf(
  origin: Origin,
  noun: string,
  manifests: Manifests,
  given: { readonly namespace?: string },
  files = manifests.files,
): Input {
  return { origin, noun, manifests, places: createPlaces(files), unlisted: [], notes: [], ...given };
}
