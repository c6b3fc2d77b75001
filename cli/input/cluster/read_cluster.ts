/** Reads from a live cluster what a command needs, and knows what it may not read. */
import { firstLineOf } from '../../../common/errno.ts';
import { SluiceError } from '../../../common/errors.ts';
import { fieldsOf } from '../../../common/shape.ts';
import { ApiClient, ApiFailure, FORBIDDEN, NOT_FOUND, type RawObject } from '../../../injector/api/index.ts';
import { type ManifestFile, type Manifests, manifestFileOf, manifestsOf } from '../../../sources/index.ts';
import { didYouMean } from '../../likeness.ts';
import type { Input, Origin } from '../input.ts';
import type { InputChoice } from '../input_flags.ts';
import type { ReadContext } from '../read_context.ts';
import type { Scope } from '../scope.ts';
import { type ClusterTarget, chooseCluster } from './kube_choice.ts';
import { createLister, type Lister } from './lister.ts';
import { RESOURCES, type Resource } from './resources.ts';
import { describeRight, type MissingRight, rightMissing } from './rights.ts';

/** What was read. */
export interface ClusterInput {
  readonly origin: Extract<Origin, { kind: 'cluster' }>;
  readonly manifests: Manifests;
  readonly namespace: string;
  readonly notes: readonly string[];
  readonly unlisted: Input['unlisted'];
}

/** Without these there is no answer. */
const REQUIRED = [RESOURCES.pods, RESOURCES.policies] as const;

/** An answer can do without these, and says what it does not know then. */
const OPTIONAL = [
  RESOURCES.slices,
  RESOURCES.deployments,
  RESOURCES.statefulSets,
  RESOURCES.daemonSets,
  RESOURCES.replicaSets,
  RESOURCES.replicationControllers,
  RESOURCES.jobs,
  RESOURCES.cronJobs,
] as const;

/** Kinds that commands ask about by name, and that may not be known. */
const NAMED: readonly Resource[] = [
  RESOURCES.namespaces,
  RESOURCES.services,
  ...OPTIONAL.filter((resource) => resource !== RESOURCES.slices),
];

/**
 * A Deployment keeps its old ReplicaSets, without pods: read, each would stand for pods that it will not have. Those that have pods
 * are known by them.
 */
const MADE_BY_OTHERS: readonly Resource[] = [RESOURCES.replicaSets, RESOURCES.replicationControllers];

function isOnItsOwn({ metadata }: RawObject): boolean {
  const { ownerReferences } = fieldsOf(metadata);
  return (
    !Array.isArray(ownerReferences) || !ownerReferences.some((owner) => fieldsOf(owner).controller === true)
  );
}

/**
 * @param target where the cluster has been chosen before
 * @throws SluiceError `KUBECONFIG_UNUSABLE`, `CLUSTER_UNREADABLE`, `RIGHT_MISSING`, `INPUT_TOO_LARGE`
 */
export async function readCluster(
  choice: Extract<InputChoice, { kind: 'cluster' }>,
  scopeIn: (namespace: string) => Scope,
  { progress, signal }: ReadContext,
  target: ClusterTarget = chooseCluster(choice),
): Promise<ClusterInput> {
  const { context, server } = target;
  const namespace = choice.namespace ?? target.namespace;
  const asked = scopeIn(namespace);
  const scope: Scope = choice.allNamespaces ? { ...asked, namespaces: 'all' } : asked;
  const client = new ApiClient(target.config);
  try {
    const lister = createLister(client, { progress, signal });
    const reading = new Reading(lister, scope, choice.allNamespaces ? undefined : choice.namespace);
    await reading.run();
    const missing = reading.missing.filter(({ resource }) => isRequired(resource, scope));
    if (missing.length > 0) throw rightMissing(missing, context);
    return {
      origin: { kind: 'cluster', context, server },
      manifests: manifestsOf(reading.files),
      namespace,
      notes: reading.notes(),
      unlisted: reading.missing
        .filter(({ resource }) => NAMED.includes(resource))
        .map((missing) => ({ kind: missing.resource.kind, right: describeRight(missing) })),
    };
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof SluiceError) throw cause;
    const hint =
      cause instanceof ApiFailure && cause.code === 401
        ? ' (the credentials of the kubeconfig are not accepted)'
        : '';
    throw new SluiceError(
      'CLUSTER_UNREADABLE',
      `the cluster of context ${context} cannot be read: ${server}: ${firstLineOf(cause)}${hint}`,
      { cause },
    );
  } finally {
    client.close();
  }
}

function isRequired(resource: Resource, { services }: Scope): boolean {
  if (resource === RESOURCES.services) return services === 'required';
  return REQUIRED.some((one) => one === resource);
}

function noNamespace(name: string, known: readonly string[]): SluiceError {
  return new SluiceError(
    'ENDPOINT_UNKNOWN',
    `the cluster has no namespace ${name}${didYouMean(name, known)}`,
  );
}

/** One reading of a cluster. */
class Reading {
  readonly files: ManifestFile[] = [];
  readonly #missing: MissingRight[] = [];
  readonly #lister: Lister;
  readonly #scope: Scope;
  /** Why only some namespaces were read, though all were wanted. */
  #narrowed: MissingRight | undefined;

  /** The namespace of `-n`: one that is not there is an error, and not an empty one. */
  readonly #given: string | undefined;

  constructor(lister: Lister, scope: Scope, given: string | undefined) {
    this.#lister = lister;
    this.#scope = scope;
    this.#given = given;
  }

  /** Always in the same order, however the answers came. */
  get missing(): readonly MissingRight[] {
    const order: readonly Resource[] = Object.values(RESOURCES);
    const byName = (a = '', b = ''): number => (a < b ? -1 : Number(a > b));
    return [...this.#missing].sort(
      (a, b) => byName(a.namespace, b.namespace) || order.indexOf(a.resource) - order.indexOf(b.resource),
    );
  }

  async run(): Promise<void> {
    const namespaces = await this.#namespaces();
    const places = namespaces === 'all' ? [undefined] : namespaces;
    const resources = [...REQUIRED, RESOURCES.services, ...OPTIONAL];
    await Promise.all([
      this.#list(RESOURCES.nodes, undefined),
      ...resources.flatMap((resource) => places.map((place) => this.#list(resource, place))),
    ]);
  }

  notes(): readonly string[] {
    const narrowed =
      this.#narrowed === undefined
        ? []
        : [
            `only ${this.#scope.fallback.length === 1 ? 'namespace' : 'namespaces'} ${this.#scope.fallback.join(', ')} could be read: the user may not ` +
              `${describeRight(this.#narrowed)}, so pods and Services of others are not known by their addresses`,
          ];
    const unknown = this.missing
      .filter(({ resource }) => !isRequired(resource, this.#scope))
      .map(describeRight);
    return [
      ...narrowed,
      ...(unknown.length === 0 ? [] : [`not known, because the user may not: ${unknown.join('; ')}`]),
    ];
  }

  /** Reads the Namespaces too: their labels decide rules. */
  async #namespaces(): Promise<'all' | readonly string[]> {
    const { namespaces, fallback } = this.#scope;
    if (namespaces !== 'all') {
      await Promise.all(namespaces.map((name) => this.#namespace(name)));
      return namespaces;
    }
    const [listed, ...mayList] = await Promise.all([
      this.#listed(RESOURCES.namespaces, undefined),
      this.#lister.mayList(RESOURCES.pods),
      this.#lister.mayList(RESOURCES.policies),
    ]);
    const refused = [RESOURCES.pods, RESOURCES.policies].find((_, at) => mayList[at] === false);
    if (refused === undefined) {
      const names = listed.map(({ metadata }) => metadata.name);
      const given = this.#given;
      if (given !== undefined && names.length > 0 && !names.includes(given)) throw noNamespace(given, names);
      this.#add(listed);
      return 'all';
    }
    this.#narrowed = { verb: 'list', resource: refused };
    // Others stay out: without their pods, they would be taken for empty.
    const own = listed.filter(({ metadata }) => fallback.includes(metadata.name));
    this.#add(own);
    const left = fallback.filter((name) => own.every(({ metadata }) => metadata.name !== name));
    await Promise.all(left.map((name) => this.#namespace(name)));
    return fallback;
  }

  async #namespace(name: string): Promise<void> {
    const resource = RESOURCES.namespaces;
    try {
      this.#add([await this.#lister.get(resource, name)]);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.code === FORBIDDEN) this.#missing.push({ verb: 'get', resource, namespace: name });
      else if (error.code === NOT_FOUND) throw await this.#noNamespace(name);
      else throw error;
    }
  }

  async #noNamespace(name: string): Promise<SluiceError> {
    const known: string[] = [];
    try {
      for (const { metadata } of await this.#lister.list(RESOURCES.namespaces)) known.push(metadata.name);
    } catch {
      // Without the right to list them there is nothing to offer.
    }
    return noNamespace(name, known);
  }

  async #list(resource: Resource, namespace: string | undefined): Promise<void> {
    const items = await this.#listed(resource, namespace);
    this.#add(MADE_BY_OTHERS.includes(resource) ? items.filter(isOnItsOwn) : items);
  }

  /** Nothing where the user may not list them. */
  async #listed(resource: Resource, namespace: string | undefined): Promise<readonly RawObject[]> {
    const where = namespace === undefined ? {} : { namespace };
    try {
      return await this.#lister.list(resource, where);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      // A server may serve no workloads.
      if (error.code === NOT_FOUND && !isRequired(resource, this.#scope)) return [];
      if (error.code !== FORBIDDEN) throw error;
      this.#missing.push({ verb: 'list', resource, ...where });
      return [];
    }
  }

  #add(items: readonly object[]): void {
    this.files.push(manifestFileOf('the cluster', items));
  }
}
