/**
 * The double with objects of a file, as a process of its own: for measurements. The file has one object a line, as JSON; they are
 * stored as they are, past admission. Its first message says where it is; it ends with the channel to its parent.
 *
 *     stored_cluster.ts objects.jsonl
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { ApiObject } from './api_object.ts';
import { ApiServer } from './api_server.ts';
import { resourceOfKind } from './resources.ts';

const server = await ApiServer.start();
for await (const line of createInterface({ input: createReadStream(process.argv[2] ?? '') })) {
  const object = JSON.parse(line) as ApiObject;
  const resource = resourceOfKind(object.apiVersion, object.kind);
  if (resource === undefined) throw new Error(`the double does not serve ${object.kind}`);
  server.api.store.create(resource, object);
}
process.on('disconnect', () => process.exit());
process.send?.({ kubeconfig: server.kubeconfig() });
