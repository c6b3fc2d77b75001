/** Reads from a cluster what `sluice check` looks at, as far as the user may. */
import type { V1DaemonSet, V1Node } from '@kubernetes/client-node';
import { USUAL_NAMESPACE } from '../../common/contract.ts';
import { SluiceError } from '../../common/errors.ts';
import { isEnabled } from '../../injector/admission/index.ts';
import { ApiClient, ifThere, type RawObject, whatFailed } from '../../injector/api/index.ts';
import type { Cluster } from '../../policy/index.ts';
import type { CommandContext } from '../command.ts';
import { type InputChoice, liveCluster } from '../input/index.ts';
import { podsToStay } from './cluster_pods.ts';
import { policiesIn } from './cluster_policies.ts';
import type { NamespaceContent } from './files.ts';
import { type Installation, injectorNamespace } from './installation_check.ts';
import { readNameServers } from './name_servers.ts';
import { type CheckedNamespace, isMislabelled } from './namespace_check.ts';
import type { KernelRefusal } from './node_check.ts';
import { type AutoPod, type FallenBack, readFallenBack } from './node_paths.ts';
import { published } from './published.ts';
import { createReading, type Reading } from './reading.ts';

/** How long the server may take to begin an answer, ms: every right is asked for one after the other. */
const ANSWER_TIMEOUT_MS = 10_000;

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
  readonly fallenBack: readonly FallenBack[];
  /** What the user may not read: a sentence each. */
  readonly unread: readonly string[];
}

/** @throws SluiceError `KUBECONFIG_UNUSABLE`, `CLUSTER_UNREADABLE`, `RIGHT_MISSING`, `INPUT_TOO_LARGE` */
export async function readClusterState(
  choice: Extract<InputChoice, { readonly kind: 'cluster' }>,
  context: CommandContext,
): Promise<ClusterState> {
  const { chooseCluster, createLister, ...kinds } = await liveCluster();
  const target = chooseCluster(choice);
  const client = new ApiClient(target.config, ANSWER_TIMEOUT_MS);
  const reading = createReading({ lister: createLister(client, context), ...kinds }, target.context);
  try {
    context.progress.say(`asking ${target.server}`);
    return await readState(choice.namespace, reading, context);
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    context.signal.throwIfAborted();
    throw new SluiceError(
      'CLUSTER_UNREADABLE',
      `the cluster of context ${target.context} cannot be read: ${target.server}: ${whatFailed(cause)}`,
      { cause },
    );
  } finally {
    client.close();
  }
}

/** @param only the namespace that is asked about */
async function readState(
  only: string | undefined,
  reading: Reading,
  { progress, signal }: CommandContext,
): Promise<ClusterState> {
  const { lister, RESOURCES } = reading;
  const installation = await readInstallation(reading);
  const listed = await reading.optional('other namespaces', 'list namespaces', () =>
    lister.list(RESOURCES.namespaces),
  );
  const contents: NamespaceContent[] = [];
  const refusals: KernelRefusal[] = [];
  const auto: AutoPod[] = [];
  const own = injectorNamespace(installation);
  for (const namespace of await chosenNamespaces(only, listed, reading)) {
    signal.throwIfAborted();
    progress.say(`reading namespace ${namespace.name}`);
    if (only !== undefined || isEnabled(namespace)) {
      const found = await readContent(namespace, reading);
      contents.push(found.content);
      refusals.push(...found.refused);
      auto.push(...found.auto);
    } else if (isMislabelled(namespace, own))
      contents.push({ namespace, pods: [], services: [], policies: [], unenforced: [] });
  }
  progress.say('reading nodes');
  const nodes = await reading.optional('nodes', 'list nodes', () => lister.list(RESOURCES.nodes));
  const daemonSets = await reading.optional(
    'other programs that enforce policy',
    'list daemonsets.apps in all namespaces',
    () => lister.list(RESOURCES.daemonSets),
  );
  const { fallenBack, unknown } = await readFallenBack(auto, reading, signal);
  return {
    installation,
    contents,
    namespaceNames: (listed ?? []).map(({ metadata }) => metadata.name).sort(),
    cluster: await readNameServers(reading, contents),
    nodes: (nodes ?? []).map((node) => published('Node', node)),
    daemonSets: (daemonSets ?? []).map((daemonSet) => published('DaemonSet', daemonSet)),
    refusals,
    fallenBack,
    unread: [...reading.unread, ...unknown],
  };
}

async function readInstallation(reading: Reading): Promise<Installation> {
  const { lister, RESOURCES } = reading;
  const version = await lister.version();
  const right = 'get its webhook, admission policies, namespace, Deployment and Service';
  const read = await reading.optional('whether Sluice is installed', right, async () => {
    const found = await ifThere(lister.get(RESOURCES.webhooks, NAME));
    const webhook = found && published('MutatingWebhookConfiguration', found);
    // A chart may be installed elsewhere.
    const place = webhook?.webhooks?.[0]?.clientConfig.service?.namespace ?? USUAL_NAMESPACE;
    const namespace = await ifThere(lister.get(RESOURCES.namespaces, place));
    const bindings = (await ifThere(lister.list(RESOURCES.policyBindings))) ?? [];
    const deployment = await ifThere(lister.get(RESOURCES.deployments, NAME, place));
    const service = await ifThere(lister.get(RESOURCES.services, NAME, place));
    return {
      webhook,
      namespace: namespace && published('Namespace', namespace),
      bindings: bindings.map((binding) => published('ValidatingAdmissionPolicyBinding', binding)),
      deployment: deployment && published('Deployment', deployment),
      service: service && published('Service', service),
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
  only: string | undefined,
  listed: readonly RawObject[] | undefined,
  reading: Reading,
): Promise<readonly CheckedNamespace[]> {
  const { lister, RESOURCES } = reading;
  const resource = RESOURCES.namespaces;
  if (only === undefined) {
    if (listed === undefined)
      throw reading.missing({ verb: 'list', resource }, 'name one namespace with -n, or manifests with -f');
    return listed.map(checkedNamespace);
  }
  const found =
    listed === undefined
      ? await reading.required(
          { verb: 'get', resource, namespace: only },
          ifThere(lister.get(resource, only)),
        )
      : listed.find(({ metadata }) => metadata.name === only);
  return found === undefined ? [] : [checkedNamespace(found)];
}

function checkedNamespace(object: RawObject): CheckedNamespace {
  const { name = '', labels = {}, annotations = {} } = published('Namespace', object).metadata ?? {};
  return { name, labels, annotations };
}

async function readContent(namespace: CheckedNamespace, reading: Reading) {
  const { lister, RESOURCES } = reading;
  const { name } = namespace;
  const where = { namespace: name };
  const listed = await reading.required(
    { verb: 'list', resource: RESOURCES.pods, namespace: name },
    lister.list(RESOURCES.pods, where),
  );
  const { pods, refused, auto } = podsToStay(listed.map((pod) => published('Pod', pod)));
  const services = await reading.optional(
    `Services of namespace ${name}`,
    `list services in namespace ${name}`,
    () => lister.list(RESOURCES.services, where),
  );
  const policies = await reading.optional(
    `policies of namespace ${name}, and so its DNS and Services`,
    `list networkpolicies.networking.k8s.io in namespace ${name}`,
    () => lister.list(RESOURCES.policies, where),
  );
  const content: NamespaceContent = {
    namespace,
    pods,
    services: services ?? [],
    ...policiesIn(policies ?? []),
  };
  return { content, refused, auto };
}
