/** Lists objects of the API in pages, within bounds. */
import { SluiceError } from '../../../common/errors.ts';
import {
  type ApiClient,
  FORBIDDEN,
  listAll,
  type RawObject,
  readRawObjectJson,
} from '../../../injector/api/index.ts';
import { MAX_OBJECTS } from '../bounds.ts';
import type { ReadContext } from '../read_context.ts';
import { apiVersionOf, pathOf, type Resource } from './resources.ts';

/** Reads objects. What the server refuses comes as its `ApiFailure`. */
export interface Lister {
  list(resource: Resource, namespace?: string): Promise<readonly RawObject[]>;
  get(resource: Resource, name: string): Promise<RawObject>;
  /** Whether all objects of a kind may be listed, in all namespaces. */
  mayList(resource: Resource): Promise<boolean>;
}

/** No object of the API is larger, bytes: etcd's bound, and some more. */
const MAX_OBJECT_BYTES = 8 * 1024 * 1024;

/** Counts what is read in all its lists together. */
export function createLister(client: ApiClient, { progress, signal }: ReadContext): Lister {
  let count = 0;
  const counted = (object: RawObject): RawObject => {
    count += 1;
    if (count > MAX_OBJECTS)
      throw new SluiceError(
        'INPUT_TOO_LARGE',
        `the cluster has more than ${MAX_OBJECTS} objects to be read: name a namespace with -n`,
      );
    if (count % 100 === 0) progress.say(`read ${count} objects`);
    return object;
  };
  return {
    async list(resource, namespace) {
      let found: RawObject[] = [];
      const sink = {
        add: (object: RawObject) => found.push(typed(counted(object), resource)),
        restart: () => {
          count -= found.length;
          found = [];
        },
      };
      await listAll({ client, path: pathOf(resource, namespace), freshness: 'now', signal }, sink);
      return found;
    },
    async get(resource, name) {
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of client.chunks(pathOf(resource, undefined, name), {}, signal)) {
        chunks.push(chunk);
        size += chunk.length;
        if (size > MAX_OBJECT_BYTES) throw new Error(`${resource.plural} ${name} is too large`);
      }
      return typed(counted(readRawObjectJson(Buffer.concat(chunks).toString())), resource);
    },
    async mayList(resource) {
      try {
        const response = await client.get(pathOf(resource), { limit: 1 }, signal);
        response.resume();
        return true;
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === FORBIDDEN) return false;
        throw error;
      }
    },
  };
}

/** Items of a list have no kind. What only the API server and kubectl need goes: it is half of an object. */
function typed(object: RawObject, resource: Resource): RawObject {
  const { managedFields: _, ...metadata }: RawObject['metadata'] & { readonly managedFields?: unknown } =
    object.metadata;
  return Object.assign({ apiVersion: apiVersionOf(resource), kind: resource.kind }, object, { metadata });
}
