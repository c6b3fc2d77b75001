/** Lists objects of the API in pages, within bounds. */
import { SluiceError } from '../../../common/errors.ts';
import { part, text } from '../../../common/shape.ts';
import {
  type ApiClient,
  FORBIDDEN,
  hasCode,
  listAll,
  type Query,
  type RawObject,
  readRawObjectJson,
} from '../../../injector/api/index.ts';
import { MAX_OBJECTS } from '../bounds.ts';
import type { ReadContext } from '../read_context.ts';
import { apiVersionOf, pathOf, RESOURCES, type Resource } from './resources.ts';

/** Reads objects. What the server refuses comes as its `ApiFailure`. */
export interface Lister {
  list(resource: Resource, where?: ListedWhere): Promise<readonly RawObject[]>;
  /** @param namespace of a kind that has namespaces */
  get(resource: Resource, name: string, namespace?: string): Promise<RawObject>;
  /** The beginning of what a container has logged since it started, unless that was rotated. @param most bytes */
  log(where: LogPlace, most: number): Promise<string>;
  /** `major.minor` of the server. Source: `/version` of the API. */
  version(): Promise<string>;
  /** Whether all objects of a kind may be listed, in all namespaces. */
  mayList(resource: Resource): Promise<boolean>;
}

/** Whose log is read. */
export interface LogPlace {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** What of a kind is listed; all, if it is not given. */
export interface ListedWhere {
  readonly namespace?: string;
  /** `k8s-app=kube-dns`. */
  readonly labelSelector?: string;
}

/** No object of the API is larger, bytes: etcd's bound, and some more. */
const MAX_OBJECT_BYTES = 8 * 1024 * 1024;

/** Source: `version.Info` of apimachinery. Some providers write a minor of `30+`. */
const versionInfo = part({ major: text(), minor: text() });

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
  const read = async (path: string, query: Query = {}): Promise<string> => {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of client.chunks(path, query, signal)) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_OBJECT_BYTES) throw new Error(`${path} is too large`);
    }
    return Buffer.concat(chunks).toString();
  };
  return {
    async list(resource, { namespace, labelSelector } = {}) {
      let found: RawObject[] = [];
      const sink = {
        add: (object: RawObject) => found.push(typed(counted(object), resource)),
        restart: () => {
          count -= found.length;
          found = [];
        },
      };
      const path = pathOf(resource, namespace);
      const selection = labelSelector === undefined ? {} : { labelSelector };
      await listAll({ client, path, freshness: 'now', signal, ...selection }, sink);
      return found;
    },
    async get(resource, name, namespace) {
      const found = await read(pathOf(resource, namespace, name));
      return typed(counted(readRawObjectJson(found)), resource);
    },
    async log({ namespace, pod, container }, most) {
      const path = `${pathOf(RESOURCES.pods, namespace, pod)}/log`;
      return await read(path, { container, limitBytes: most });
    },
    async version() {
      const { major, minor } = versionInfo.readJson(await read('/version'), 'the version', unreadable);
      return `${major}.${Number.parseInt(minor, 10)}`;
    },
    async mayList(resource) {
      try {
        const response = await client.get(pathOf(resource), { limit: 1 }, signal);
        response.resume();
        return true;
      } catch (error) {
        if (hasCode(error, FORBIDDEN)) return false;
        throw error;
      }
    },
  };
}

function unreadable(problem: string, cause?: unknown): Error {
  return new Error(problem, { cause });
}

/** Items of a list have no kind. What only the API server and kubectl need goes: it is half of an object. */
function typed(object: RawObject, resource: Resource): RawObject {
  const { managedFields: _, ...metadata }: RawObject['metadata'] & { readonly managedFields?: unknown } =
    object.metadata;
  return Object.assign({ apiVersion: apiVersionOf(resource), kind: resource.kind }, object, { metadata });
}
