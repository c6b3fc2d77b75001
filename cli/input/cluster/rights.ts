/** Rights that the user of a kubeconfig lacks: which, and how to get them. */
import { SluiceError } from '../../../common/errors.ts';
import { type Resource, resourceName } from './resources.ts';

/** What the API server refused. */
export interface MissingRight {
  readonly verb: 'list' | 'get';
  readonly resource: Resource;
  /** Absent: in all namespaces, or of what has none. */
  readonly namespace?: string;
}

/** `list networkpolicies.networking.k8s.io in namespace shop`. */
export function describeRight({ verb, resource, namespace }: MissingRight): string {
  // A Namespace is in none: the name is its own.
  if (!resource.namespaced && namespace !== undefined) return `${verb} namespace ${namespace}`;
  return `${verb} ${resourceName(resource)}${namespace === undefined ? placeOf(resource) : ` in namespace ${namespace}`}`;
}

function placeOf({ namespaced }: Resource): string {
  return namespaced ? ' in all namespaces' : '';
}

/** The name that the commands below give to what they make. */
const ROLE = 'sluice-reader';

/**
 * The error for rights without which there is no answer: each is named, and the commands by which an administrator gives them.
 * @param missing one at least
 * @param instead what the user may ask instead
 */
export function rightMissing(
  missing: readonly MissingRight[],
  context: string,
  instead = 'ask about manifests, with -f',
): SluiceError {
  const which = missing.map(describeRight).join('; ');
  const checks = missing
    .slice(0, 1)
    .map(
      ({ verb, resource, namespace }) =>
        `kubectl auth can-i ${verb} ${resourceName(resource)}${namespace === undefined ? ' -A' : ` -n ${namespace}`}`,
    );
  const message = [
    `the user of context ${context} may not ${which}`,
    `check:  ${checks.join('')} --context ${context}`,
    ...grants(missing).map((command) => `grant:  ${command}`),
    `or ${instead}`,
  ];
  return new SluiceError('RIGHT_MISSING', message.join('\n  '));
}

/** One role for each place, with all that is missing there. */
function grants(missing: readonly MissingRight[]): readonly string[] {
  const byPlace = Map.groupBy(missing, ({ namespace }) => namespace);
  return [...byPlace].flatMap(([namespace, rights]) => {
    const resources = [...new Set(rights.map(({ resource }) => resourceName(resource)))].join(',');
    const verbs = [...new Set(rights.map(({ verb }) => verb))].join(',');
    const [role, binding, within] =
      namespace === undefined
        ? (['clusterrole', 'clusterrolebinding --clusterrole', ''] as const)
        : (['role', 'rolebinding --role', ` -n ${namespace}`] as const);
    const [bindingKind = '', roleFlag = ''] = binding.split(' ');
    return [
      `kubectl create ${role} ${ROLE}${within} --verb=${verbs} --resource=${resources}`,
      `kubectl create ${bindingKind} ${ROLE}${within} ${roleFlag}=${ROLE} --user=NAME`,
    ];
  });
}
