/** What pods of manifests take from their own node, by `sluice.dev/node-traffic`. */
import { nodeTraffic, parseAdmittedPod, podProbePorts } from '../../injector/admission/index.ts';
import { objectKey, type Pod } from '../../policy/index.ts';
import type { Manifests } from '../../sources/index.ts';

/** TCP ports that a pod takes from its own node; undefined: everything. */
export type NodePorts = (pod: Pod) => readonly number[] | undefined;

/** Works out the ports of one pod when it is asked. */
export function createNodePorts({ cluster, objects }: Manifests): NodePorts {
  const pods = new Map(objects.flatMap(({ kind, key, raw }) => (kind === 'Pod' ? [[key, raw]] : [])));
  return ({ namespace, name }) => {
    const parsed = parseAdmittedPod(pods.get(objectKey(namespace, name)));
    if (!parsed.ok) return undefined;
    const { annotations = {} } = cluster.namespaces.get(namespace) ?? {};
    const { environment } = nodeTraffic(parsed.object.annotations, annotations, podProbePorts(parsed.object));
    const ports = environment.SLUICE_NODE_PORTS?.split(',');
    return ports?.filter((port) => port !== '').map(Number);
  };
}
