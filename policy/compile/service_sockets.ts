/** Where a Service is reached: at its own addresses, and at those of the pods behind it. */
import { compareTexts, objectKey } from '../key.ts';
import type { Cluster } from '../model.ts';
import type { Backend } from '../table/index.ts';

/** Addresses with TCP ports, each once, in order. Those of endpoints that are not ready are among them. */
export function serviceSockets(cluster: Cluster, serviceKey: string): readonly Backend[] {
  const found = new Map<string, Backend>();
  const add = (addresses: readonly string[], ports: readonly { protocol: string; port: number }[]): void => {
    for (const address of addresses)
      for (const { protocol, port } of ports)
        if (protocol === 'TCP') found.set(`${address} ${port}`, { address, port });
  };
  const service = cluster.services.get(serviceKey);
  if (service !== undefined) add(service.clusterIPs, service.ports);
  for (const slice of cluster.endpointSlices.values())
    if (slice.service !== undefined && objectKey(slice.namespace, slice.service) === serviceKey)
      for (const { addresses } of slice.endpoints) add(addresses, slice.ports);
  return [...found].sort(([a], [b]) => compareTexts(a, b)).map(([, socket]) => socket);
}
