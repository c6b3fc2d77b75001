/** Tables of docs/kubernetes.md, made from what injection reads and from the manifests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { OWN_PATHS_MAX, PATHS } from '../../common/path.ts';
import {
  EXCLUDED_PORTS_ANNOTATION,
  EXCLUDED_PORTS_MAX,
  NAMESPACE_ANNOTATIONS,
  NODE_TRAFFIC_ANNOTATION,
  NODE_TRAFFIC_VALUES,
  OPT_OUT_ANNOTATION,
  OPT_OUT_VALUE,
  PATH_ANNOTATION,
  RESOURCE_ANNOTATIONS,
  SIDECAR_ANNOTATIONS,
} from '../../injector/admission/index.ts';
import { markdownTable } from './regions.ts';

const RBAC = join(import.meta.dirname, '../../manifests/base/rbac.yaml');

/** What pods may be annotated with. */
export function podAnnotations(): string {
  return markdownTable(
    ['annotation', 'values', 'sets'],
    [
      ...SIDECAR_ANNOTATIONS.map(({ annotation, values, description }) => [
        `\`${annotation}\``,
        values.map((value) => `\`${value}\``).join(', '),
        description,
      ]),
      ...RESOURCE_ANNOTATIONS.map(({ annotation, description }) => [
        `\`${annotation}\``,
        'a quantity',
        description,
      ]),
      [
        `\`${PATH_ANNOTATION}\``,
        `${PATHS.map((path) => `\`${path}\``).join(', ')}; up to ${OWN_PATHS_MAX} ports with a path of their own, as in \`auto,5432=proxy\``,
        'which way inbound TCP connections take to the app, [see below](#which-way-connections-take)',
      ],
      [
        `\`${EXCLUDED_PORTS_ANNOTATION}\``,
        `up to ${EXCLUDED_PORTS_MAX} TCP ports, such as \`9090,9091\``,
        `ports that are direct, also where the kernel cannot end their connections; only where the namespace has \`${NAMESPACE_ANNOTATIONS.allowExcludedPorts.annotation}\``,
      ],
      [
        `\`${NODE_TRAFFIC_ANNOTATION}\``,
        NODE_TRAFFIC_VALUES.map((value) => `\`${value}\``).join(', '),
        "what the isolated pod takes from its own node: everything, as the API says, or only TCP to the ports of the pod's probes and hooks; no more than its namespace says",
      ],
      [
        `\`${OPT_OUT_ANNOTATION}\``,
        `\`${OPT_OUT_VALUE}\``,
        `leaves the pod out, where its namespace has \`${NAMESPACE_ANNOTATIONS.allowOptOut.annotation}\``,
      ],
    ],
  );
}

/** What namespaces may be annotated with. */
export function namespaceAnnotations(): string {
  return markdownTable(
    ['annotation', 'allows'],
    [
      ...Object.values(NAMESPACE_ANNOTATIONS).map(({ annotation, description }) => [
        `\`${annotation}\``,
        description,
      ]),
      [
        `\`${PATH_ANNOTATION}\``,
        'nothing: it is the path of pods that have no such annotation of their own, with the values that it has there',
      ],
      [
        `\`${NODE_TRAFFIC_ANNOTATION}: probes\``,
        'the other way round: its isolated pods take from their own node only TCP to the ports of their probes and hooks, and no pod may ask for more',
      ],
    ],
  );
}

interface Role {
  readonly kind: string;
  readonly rules: readonly {
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

/** What the injector may do, a rule a line. */
export function rbacTable(): string {
  const roles = parseAllDocuments(readFileSync(RBAC, 'utf8'))
    .map((document) => document.toJS() as Role)
    .filter(({ kind }) => kind.endsWith('Role'));
  return markdownTable(
    ['where', 'what', 'may'],
    roles.flatMap(({ kind, rules }) =>
      rules.map(({ resources, resourceNames, verbs }) => [
        kind === 'ClusterRole' ? 'the cluster' : '`sluice-system`',
        `${resources.join(', ')}${resourceNames === undefined ? '' : ` named \`${resourceNames.join('`, `')}\``}`,
        verbs.join(', '),
      ]),
    ),
  );
}
