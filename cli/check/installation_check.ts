/** Whether Sluice is installed in a cluster so that pods can be injected. */
import { X509Certificate } from 'node:crypto';
import type {
  V1Deployment,
  V1MutatingWebhookConfiguration,
  V1Namespace,
  V1Service,
  V1ValidatingAdmissionPolicyBinding,
} from '@kubernetes/client-node';
import { USUAL_NAMESPACE } from '../../common/contract.ts';
import { error, type Finding, ok, shellWord, warning } from './finding.ts';

/** What an installation consists of, as far as it is there. */
export interface Installation {
  /** False: the user may not read it, and what is absent below may be there. */
  readonly isRead: boolean;
  /** `major.minor` of the API server. */
  readonly version: string;
  /** The injector's own. */
  readonly namespace: V1Namespace | undefined;
  readonly webhook: V1MutatingWebhookConfiguration | undefined;
  readonly bindings: readonly V1ValidatingAdmissionPolicyBinding[];
  readonly deployment: V1Deployment | undefined;
  readonly service: V1Service | undefined;
}

/** Where the injector is, or would be. */
export function injectorNamespace({ namespace }: Installation): string {
  return namespace?.metadata?.name ?? USUAL_NAMESPACE;
}

/** ValidatingAdmissionPolicy is stable in 1.30, native sidecars are on from 1.29. */
const FULL_MINOR = 30;
/** What the classic overlay needs: everything it has is older, and nothing older was looked at. */
const CLASSIC_MINOR = 27;

/** Admission policies of the manifests, and what holds without each. */
const POLICIES = {
  'sluice-pods': 'only the webhook keeps pods without a sidecar out',
  'sluice-running-pods': 'ephemeral containers may take the enforcement out of their pods',
  'sluice-connect': 'kubectl exec and attach get into sidecars',
  'sluice-pod-security': 'only the webhook holds enabled namespaces to Pod Security',
  'sluice-flows-askers': 'nobody can ask the injector about flows',
  'sluice-injector-account': "anyone who has the injector's token can write any NetworkPolicy",
};

/** @param nowMs ms since the epoch, for certificates */
export function checkInstallation(installation: Installation, nowMs: number): readonly Finding[] {
  const found = [
    ...checkVersion(installation.version),
    ...checkWebhook(installation.webhook, nowMs),
    ...checkPolicies(installation.bindings),
    ...checkInjector(installation),
    ...checkOwnNamespace(installation.namespace),
  ];
  return found.length > 0
    ? found
    : [ok('cluster', `Sluice is installed; Kubernetes ${installation.version}`)];
}

function checkVersion(version: string): readonly Finding[] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 1 || minor >= FULL_MINOR) return [];
  return minor >= CLASSIC_MINOR
    ? [
        warning(
          'CK008',
          'cluster',
          `Kubernetes ${version} is older than 1.30: install manifests/overlays/classic`,
          'kubectl apply -k manifests/overlays/classic',
        ),
      ]
    : [
        error(
          'CK008',
          'cluster',
          `Kubernetes ${version} is older than 1.27, which Sluice was never tried on`,
        ),
      ];
}

function checkWebhook(
  webhook: V1MutatingWebhookConfiguration | undefined,
  nowMs: number,
): readonly Finding[] {
  const subject = 'webhook sluice-injector';
  if (webhook === undefined)
    return [
      error(
        'CK001',
        subject,
        'is not there: no pod is injected. Install manifests/overlays/default',
        'kubectl apply -k manifests/overlays/default',
      ),
    ];
  return (webhook.webhooks ?? []).flatMap(({ name, failurePolicy, clientConfig }) => [
    ...(failurePolicy === 'Fail'
      ? []
      : [
          error(
            'CK002',
            subject,
            `${name} has failurePolicy ${failurePolicy}: pods run unenforced while the injector is away`,
          ),
        ]),
    ...caFindings(
      subject,
      clientConfig.caBundle,
      nowMs,
      logCommand(clientConfig.service?.namespace ?? USUAL_NAMESPACE),
    ),
  ]);
}

/** The injector puts its CA there within seconds of its start. */
function caFindings(
  subject: string,
  caBundle: string | undefined,
  nowMs: number,
  log: string,
): readonly Finding[] {
  const text = Buffer.from(caBundle ?? '', 'base64').toString();
  const pems = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (pems.length === 0)
    return [
      error('CK003', subject, 'has no caBundle: every pod is refused. See the log of the injector', log),
    ];
  const valid = pems.some((pem) => {
    const { validFromDate, validToDate } = new X509Certificate(pem);
    return validFromDate.getTime() <= nowMs && nowMs < validToDate.getTime();
  });
  return valid
    ? []
    : [
        error(
          'CK003',
          subject,
          'has only expired CAs in caBundle: every pod is refused. See the log of the injector',
          log,
        ),
      ];
}

function checkPolicies(bindings: readonly V1ValidatingAdmissionPolicyBinding[]): readonly Finding[] {
  const bound = bindings.filter(({ spec }) => spec?.validationActions?.includes('Deny'));
  return Object.entries(POLICIES)
    .filter(([name]) => !bound.some(({ spec }) => spec?.policyName === name))
    .map(([name, without]) =>
      warning('CK004', 'cluster', `the admission policy ${name} is not bound: ${without}`),
    );
}

const POD_SECURITY = 'pod-security.kubernetes.io/enforce';

/** `helm install --create-namespace` makes one without labels. */
function checkOwnNamespace(namespace: V1Namespace | undefined): readonly Finding[] {
  const { name, labels = {} } = namespace?.metadata ?? {};
  if (name === undefined || labels[POD_SECURITY] !== undefined) return [];
  return [
    warning(
      'CK007',
      `namespace ${name}`,
      `has no Pod Security level, though the injector needs no right on its node: label it ${POD_SECURITY}=restricted`,
      `kubectl label namespace ${shellWord(name)} ${POD_SECURITY}=restricted`,
    ),
  ];
}

function logCommand(namespace: string): string {
  return `kubectl logs deployment/sluice-injector -n ${shellWord(namespace)}`;
}

/** What a Service has for an address that is to have none. */
const HEADLESS = 'None';

/** Where sidecars find the injector: the addresses of its Service, of both families. */
export function clusterIPs({ service }: Installation): readonly string[] {
  const { clusterIP, clusterIPs = [] } = service?.spec ?? {};
  return [...new Set([clusterIP, ...clusterIPs].flatMap((ip) => (ip === HEADLESS ? [] : ip || [])))];
}

function checkInjector(installation: Installation): readonly Finding[] {
  const { deployment, service } = installation;
  return [
    ...checkDeployment(deployment),
    ...(service === undefined
      ? [error('CK006', 'service sluice-injector', 'is not there: sidecars cannot find the injector')]
      : clusterIPs(installation).length > 0
        ? []
        : [
            error('CK006', 'service sluice-injector', 'has no cluster IP: sidecars cannot find the injector'),
          ]),
  ];
}

function checkDeployment(deployment: V1Deployment | undefined): readonly Finding[] {
  const subject = 'deployment sluice-injector';
  if (deployment === undefined) return [error('CK005', subject, 'is not there: policies stay as they are')];
  return (deployment.status?.availableReplicas ?? 0) > 0
    ? []
    : [
        error(
          'CK005',
          subject,
          'has no available pod: every new pod is refused, policies stay as they are',
          `kubectl describe deployment/sluice-injector -n ${shellWord(deployment.metadata?.namespace ?? USUAL_NAMESPACE)}`,
        ),
      ];
}
