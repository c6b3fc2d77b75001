/** Reads from a cluster what `sluice check` looks at, as far as the user may. */
import {
  AdmissionregistrationV1Api,
  AppsV1Api,
  CoreV1Api,
  type KubeConfig,
  NetworkingV1Api,
  type V1DaemonSet,
  type V1Node,
  VersionApi,
} from '@kubernetes/client-node';
import { USUAL_NAMESPACE } from '../../common/contract.ts';
import { SluiceError } from '../../common/errors.ts';
import { readPolicyStatus } from '../../common/policy_status.ts';
import { fieldsOf } from '../../common/shape.ts';
import { isEnabled, STATUS_ANNOTATION } from '../../injector/admission/index.ts';
import { ifThere, whatFailed, within } from '../../injector/api/index.ts';
import { type Cluster, parseNetworkPolicy } from '../../policy/index.ts';
import type { CommandContext } from '../command.ts';
import { type InputChoice, liveCluster } from '../input/index.ts';
import { readPods } from './cluster_pods.ts';
import type { NamespaceContent } from './files.ts';
import { type Installation, injectorNamespace } from './installation_check.ts';
import { readNameServers } from './name_servers.ts';
import { type CheckedNamespace, isMislabelled } from './namespace_check.ts';
import type { KernelRefusal } from './node_check.ts';
import { createReading, type Reading } from './reading.ts';

const CALL_TIMEOUT_MS = 10_000;

const NAME = 'sluice-injector';

/** What was read. */
export interface ClusterState {
  readonly installation: Installation;
  readonly contents: readonly NamespaceContent[];
  /** Of all namespaces, as far as they may be listed. */
  readonly namespaceNames: readonly string[];
  /** The cluster's name servers, with their pods, and the labels of the namespaces that are looked at. */
  readonly cluster: Cluster;
  readonly nodes: readonly V1Node[];
  readonly daemonSets: readonly V1DaemonSet[];
  readonly refusals: readonly KernelRefusal[];
  /** What the user may not read: a sentence each. */
  readonly unread: readonly string[];
}

/** @throws SluiceError `KUBECONFIG_UNUSABLE`, `CLUSTER_UNREADABLE`, `RIGHT_MISSING` */
export async function readClusterState(
  choice: Extract<InputChoice, { readonly kind: 'cluster' }>,
  { progress, signal }: CommandContext,
): Promise<ClusterState> {
  const { chooseCluster } = await liveCluster();
  const { config, context, server } = chooseCluster(choice);
  const reading = await createReading(context);
  const core = config.makeApiClient(CoreV1Api);
  try {
    progress.say(`asking ${server}`);
    const installation = await readInstallation(config, reading);
    const listed = await reading.optional('other namespaces', 'list namespaces', () =>
      core.listNamespace({}, within(CALL_TIMEOUT_MS)),
    );
    const found = await chosenNamespaces(core, choice.namespace, listed?.items, reading);
    const contents: NamespaceContent[] = [];
    const refusals: KernelRefusal[] = [];
    const own = injectorNamespace(installation);
    for (const namespace of found) {
      signal.throwIfAborted();
      progress.say(`reading namespace ${namespace.name}`);
      if (choice.namespace !== undefined || isEnabled(namespace)) {
        const { content, refused } = await readContent(config, namespace, reading);
        contents.push(content);
        refusals.push(...refused);
      } else if (isMislabelled(namespace, own))
        contents.push({ namespace, pods: [], services: [], policies: [], unenforced: [] });
    }
    progress.say('reading nodes');
    const nodes = await reading.optional('nodes', 'list nodes', () =>
      core.listNode({}, within(CALL_TIMEOUT_MS)),
    );
    const daemonSets = await reading.optional(
      'other programs that enforce policy',
      'list daemonsets.apps in all namespaces',
      () => config.makeApiClient(AppsV1Api).listDaemonSetForAllNamespaces({}, within(CALL_TIMEOUT_MS)),
    );
    return {
      installation,
      contents,
      namespaceNames: (listed?.items ?? []).map(({ metadata }) => metadata?.name ?? '').sort(),
      cluster: await readNameServers(config, contents),
      nodes: nodes?.items ?? [],
      daemonSets: daemonSets?.items ?? [],
      refusals,
      unread: reading.unread,
    };
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    signal.throwIfAborted();
    throw new SluiceError(
      'CLUSTER_UNREADABLE',
      `the cluster of context ${context} cannot be read: ${server}: ${whatFailed(cause)}`,
      { cause },
    );
  }
}

async function readInstallation(config: KubeConfig, reading: Reading): Promise<Installation> {
  const options = within(CALL_TIMEOUT_MS);
  const admission = config.makeApiClient(AdmissionregistrationV1Api);
  const core = config.makeApiClient(CoreV1Api);
  const { major, minor } = await config.makeApiClient(VersionApi).getCode(options);
  const version = `${major}.${Number.parseInt(minor, 10)}`; // some providers write `30+`
  const right = 'get its webhook, admission policies, namespace, Deployment and Service';
  const read = await reading.optional('whether Sluice is installed', right, async () => {
    const webhook = await ifThere(admission.readMutatingWebhookConfiguration({ name: NAME }, options));
    // A chart may be installed elsewhere.
    const namespace = webhook?.webhooks?.[0]?.clientConfig.service?.namespace ?? USUAL_NAMESPACE;
    const place = { namespace, name: NAME };
    return {
      namespace: await ifThere(core.readNamespace({ name: namespace }, options)),
      webhook,
      bindings: (await ifThere(admission.listValidatingAdmissionPolicyBinding({}, options)))?.items ?? [],
      deployment: await ifThere(config.makeApiClient(AppsV1Api).readNamespacedDeployment(place, options)),
      service: await ifThere(core.readNamespacedService(place, options)),
    };
  });
  const nothing = {
    namespace: undefined,
    webhook: undefined,
    bindings: [],
    deployment: undefined,
    service: undefined,
  };
  return { version, isRead: read !== undefined, ...(read ?? nothing) };
}

/** The one that is asked about, or all that may be listed. */
async function chosenNamespaces(
  core: CoreV1Api,
  only: string | undefined,
  listed: Awaited<ReturnType<CoreV1Api['listNamespace']>>['items'] | undefined,
  reading: Reading,
): Promise<readonly CheckedNamespace[]> {
  if (only === undefined) {
    if (listed === undefined)
      throw reading.rightMissing({ verb: 'list', resource: (await liveCluster()).RESOURCES.namespaces });
    return listed.map(checkedNamespace);
  }
  const known = listed?.find(({ metadata }) => metadata?.name === only);
  if (listed !== undefined) return known === undefined ? [] : [checkedNamespace(known)];
  const found = await reading.required(
    { verb: 'get', resource: (await liveCluster()).RESOURCES.namespaces, namespace: only },
    ifThere(core.readNamespace({ name: only }, within(CALL_TIMEOUT_MS))),
  );
  return found === undefined ? [] : [checkedNamespace(found)];
}

function checkedNamespace({ metadata }: { readonly metadata?: V1Node['metadata'] }): CheckedNamespace {
  return {
    name: metadata?.name ?? '',
    labels: metadata?.labels ?? {},
    annotations: metadata?.annotations ?? {},
  };
}

async function readContent(config: KubeConfig, namespace: CheckedNamespace, reading: Reading) {
  const core = config.makeApiClient(CoreV1Api);
  const { name } = namespace;
  const { pods, refused } = await reading.required(
    { verb: 'list', resource: (await liveCluster()).RESOURCES.pods, namespace: name },
    readPods(core, name),
  );
  const services = await reading.optional(
    `Services of namespace ${name}`,
    `list services in namespace ${name}`,
    () => core.listNamespacedService({ namespace: name }, within(CALL_TIMEOUT_MS)),
  );
  const policies = await reading.optional(
    `policies of namespace ${name}, and so its DNS and Services`,
    `list networkpolicies.networking.k8s.io in namespace ${name}`,
    () => readPolicies(config, name),
  );
  const content: NamespaceContent = {
    namespace,
    pods,
    services: services?.items ?? [],
    ...(policies ?? { policies: [], unenforced: [] }),
  };
  return { content, refused };
}

/**
 * Those that cannot be read isolate what they select all the same. What of them is not enforced, the injector has written.
 * Ingress peers are not looked at: the client calls them by another name than the API.
 */
async function readPolicies(
  config: KubeConfig,
  namespace: string,
): Promise<Pick<NamespaceContent, 'policies' | 'unenforced'>> {
  const network = config.makeApiClient(NetworkingV1Api);
  const { items } = await network.listNamespacedNetworkPolicy({ namespace }, within(CALL_TIMEOUT_MS));
  const policies = items.flatMap((item) => {
    // As JSON, in which times are texts. Items of a list have no type.
    const parsed = parseNetworkPolicy({
      ...fieldsOf(JSON.parse(JSON.stringify(item))),
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
    });
    return parsed.ok ? [parsed.object] : (parsed.isolating ?? []);
  });
  const unenforced = items.flatMap(({ metadata }) => {
    const status = readPolicyStatus(metadata?.annotations?.[STATUS_ANNOTATION] ?? '');
    const messages = status?.generation === metadata?.generation ? (status?.unsupported ?? []) : [];
    return messages.map((message) => ({ policy: metadata?.name ?? '', message }));
  });
  return { policies, unenforced };
}
