/** Reads from a cluster what `sluice check` looks at. */
import {
  AdmissionregistrationV1Api,
  AppsV1Api,
  CoreV1Api,
  KubeConfig,
  NetworkingV1Api,
  type V1Pod,
  VersionApi,
} from '@kubernetes/client-node';
import { firstLineOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { fieldsOf, integer, list, part, type TypeOf, text } from '../../common/shape.ts';
import { isEnabled, STATUS_ANNOTATION } from '../../injector/admission/index.ts';
import { ifThere, within } from '../../injector/api/index.ts';
import { type Cluster, parseNetworkPolicy } from '../../policy/index.ts';
import type { NamespaceContent } from './files.ts';
import type { Installation } from './installation_check.ts';
import { readNameServers } from './name_servers.ts';
import { isMislabelled, USUAL_NAMESPACE } from './namespace_check.ts';

/** Which cluster, and what of it. */
export interface ClusterChoice {
  /** Absent: as kubectl finds it (KUBECONFIG, ~/.kube/config). */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Absent: every namespace that is enabled. */
  readonly namespace?: string;
}

const CALL_TIMEOUT_MS = 10_000;

const NAME = 'sluice-injector';

/** Pods asked for at a time. */
const PAGE = 500;

/** @throws SluiceError `CLUSTER_UNREADABLE` saying what could not be read */
export async function readClusterState(choice: ClusterChoice): Promise<{
  readonly installation: Installation;
  readonly namespaces: readonly NamespaceContent[];
  /** The cluster's name servers, with their pods, and the labels of the namespaces that are looked at. */
  readonly cluster: Cluster;
}> {
  const config = loadConfig(choice);
  try {
    const installation = await readInstallation(config);
    const namespaces = await readNamespaces(config, choice, injectorNamespace(installation));
    return { installation, namespaces, cluster: await readNameServers(config, namespaces) };
  } catch (cause) {
    const server = config.getCurrentCluster()?.server;
    throw unreadable(`${server}: ${firstLineOf(cause)}`, cause);
  }
}

function loadConfig({ kubeconfig, context }: ClusterChoice): KubeConfig {
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (cause) {
    // Without the lines of the file that the YAML reader quotes: there may be a token in them.
    throw unreadable(`the kubeconfig: ${firstLineOf(cause)}`, cause);
  }
  // What the library makes up where it finds nothing.
  if (
    kubeconfig === undefined &&
    config.getCurrentContext() === 'loaded-context' &&
    config.getCurrentCluster()?.name === 'cluster'
  )
    throw unreadable('there is no kubeconfig: set KUBECONFIG or --kubeconfig, or have files checked with -f');
  if (context !== undefined) config.setCurrentContext(context);
  if (config.getCurrentCluster() === null)
    throw unreadable(`the kubeconfig has no context '${config.getCurrentContext()}' with a cluster`);
  return config;
}

async function readInstallation(config: KubeConfig): Promise<Installation> {
  const options = within(CALL_TIMEOUT_MS);
  const admission = config.makeApiClient(AdmissionregistrationV1Api);
  const { major, minor } = await config.makeApiClient(VersionApi).getCode(options);
  const webhook = await ifThere(admission.readMutatingWebhookConfiguration({ name: NAME }, options));
  // A chart may be installed elsewhere.
  const namespace = webhook?.webhooks?.[0]?.clientConfig.service?.namespace ?? USUAL_NAMESPACE;
  const place = { namespace, name: NAME };
  const core = config.makeApiClient(CoreV1Api);
  return {
    version: `${major}.${Number.parseInt(minor, 10)}`, // some providers write `30+`
    namespace: await ifThere(core.readNamespace({ name: namespace }, options)),
    webhook,
    bindings: (await ifThere(admission.listValidatingAdmissionPolicyBinding({}, options)))?.items ?? [],
    deployment: await ifThere(config.makeApiClient(AppsV1Api).readNamespacedDeployment(place, options)),
    service: await ifThere(core.readNamespacedService(place, options)),
  };
}

/** Where the injector is, or would be. */
export function injectorNamespace({ namespace }: Installation): string {
  return namespace?.metadata?.name ?? USUAL_NAMESPACE;
}

async function readNamespaces(
  config: KubeConfig,
  { namespace }: ClusterChoice,
  own: string,
): Promise<readonly NamespaceContent[]> {
  const core = config.makeApiClient(CoreV1Api);
  const options = within(CALL_TIMEOUT_MS);
  const found =
    namespace === undefined
      ? (await core.listNamespace({}, options)).items
      : [await core.readNamespace({ name: namespace }, options)];
  const namespaces = found.map(({ metadata }) => ({
    name: metadata?.name ?? '',
    labels: metadata?.labels ?? {},
    annotations: metadata?.annotations ?? {},
  }));
  const contents: NamespaceContent[] = [];
  for (const each of namespaces)
    if (namespace !== undefined || isEnabled(each))
      contents.push({
        namespace: each,
        pods: await readPods(core, each.name),
        services: (await core.listNamespacedService({ namespace: each.name }, within(CALL_TIMEOUT_MS))).items,
        ...(await readPolicies(config, each.name)),
      });
    else if (isMislabelled(each, own))
      contents.push({ namespace: each, pods: [], services: [], policies: [], unenforced: [] });
  return contents;
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
    const status = statusOf(metadata?.annotations?.[STATUS_ANNOTATION]);
    const messages = status.generation === metadata?.generation ? (status.unsupported ?? []) : [];
    return messages.map((message) => ({ policy: metadata?.name ?? '', message }));
  });
  return { policies, unenforced };
}

const policyStatus = part({}, { generation: integer(0, Number.MAX_SAFE_INTEGER), unsupported: list(text()) });

/** What is no status counts for nothing: anybody who may write the policy may write its annotation. */
function statusOf(json = '{}'): TypeOf<typeof policyStatus> {
  try {
    return policyStatus.readJson(json, STATUS_ANNOTATION, (problem) => new Error(problem));
  } catch {
    return {};
  }
}

async function readPods(core: CoreV1Api, namespace: string): Promise<NamespaceContent['pods']> {
  const pods: NamespaceContent['pods'][number][] = [];
  let next: string | undefined;
  do {
    const { items, metadata } = await core.listNamespacedPod(
      { namespace, limit: PAGE, ...(next === undefined ? {} : { _continue: next }) },
      within(CALL_TIMEOUT_MS),
    );
    for (const pod of items)
      if (isToStay(pod))
        pods.push({
          subject: `pod ${namespace}/${pod.metadata?.name}`,
          object: {
            metadata: {
              labels: pod.metadata?.labels ?? {},
              annotations: pod.metadata?.annotations ?? {},
            },
            spec: pod.spec,
          },
          running: true,
        });
    next = metadata?._continue || undefined;
  } while (next !== undefined);
  return pods;
}

/** Neither finished nor about to go: restarting the workload of one that ends changes nothing. */
function isToStay({ metadata, status }: V1Pod): boolean {
  return metadata?.deletionTimestamp === undefined && !['Succeeded', 'Failed'].includes(status?.phase ?? '');
}

function unreadable(what: string, cause?: unknown): SluiceError {
  return new SluiceError('CLUSTER_UNREADABLE', `the cluster cannot be read: ${what}`, { cause });
}
