/**
 * Which way inbound TCP takes to a pod's app. A pod needs no permission for any path: the gate judges new connections on each, and a
 * change of policy ends those that it no longer allows.
 */
import { OWN_PORTS } from '../../../common/contract.ts';
import { type Path, type PathChoice, parsePath, pathText } from '../../../common/path.ts';
import { shown } from '../../../common/shown.ts';
import { EXCLUDED_PORTS_ANNOTATION, PATH_ANNOTATION } from './annotations.ts';

type Annotations = Readonly<Record<string, unknown>>;

/**
 * The environment for the path that a pod or, for want of one, its namespace asks for, and what is wrong with their annotations. A pod
 * that names only ports has the usual path of its namespace. A port that the pod has bypass the proxy has no other path.
 */
export function chosenPath(
  annotations: Annotations,
  namespaceAnnotations: Annotations,
): { readonly environment: Readonly<Record<string, string>>; readonly problems: readonly string[] } {
  const namespaces = read(namespaceAnnotations, "its namespace's annotation");
  const own = read(annotations, 'annotation', namespaces.choice?.usual);
  const excluded = excludedPorts(annotations);
  const both = excluded.filter((port) => own.choice?.ports.has(port)).map(namedTwice);
  const problems = [...own.problems, ...namespaces.problems, ...both];
  const choice = own.choice ?? namespaces.choice;
  if (problems.length > 0 || choice === undefined) return { environment: {}, problems };
  const ports = new Map([...choice.ports].filter(([port]) => !excluded.includes(port)));
  return { environment: { SLUICE_PATH: pathText({ ...choice, ports }) }, problems };
}

/** @param otherwise the usual path where it names none */
function read(
  annotations: Annotations,
  whose: string,
  otherwise?: Path,
): { readonly choice?: PathChoice; readonly problems: readonly string[] } {
  if (!Object.hasOwn(annotations, PATH_ANNOTATION)) return { problems: [] };
  const text = String(annotations[PATH_ANNOTATION]);
  const choice = parsePath(text, otherwise);
  const problem = typeof choice === 'string' ? choice : ownPortProblem(choice);
  if (problem !== undefined)
    return { problems: [`${whose} ${PATH_ANNOTATION} is '${shown(text)}': ${problem}`] };
  return typeof choice === 'string' ? { problems: [] } : { choice, problems: [] };
}

function ownPortProblem({ ports }: PathChoice): string | undefined {
  const own = OWN_PORTS.find((port) => ports.has(port));
  return own === undefined ? undefined : `${own} is the sidecar's own: leave it out`;
}

/** Each once. `excludedPorts` of `annotations.ts` says what is wrong with them. */
function excludedPorts(annotations: Annotations): readonly number[] {
  if (!Object.hasOwn(annotations, EXCLUDED_PORTS_ANNOTATION)) return [];
  return [...new Set(String(annotations[EXCLUDED_PORTS_ANNOTATION]).split(',').map(Number))];
}

function namedTwice(port: number): string {
  return `annotations ${PATH_ANNOTATION} and ${EXCLUDED_PORTS_ANNOTATION} both have port ${port}: name it in one of them`;
}
