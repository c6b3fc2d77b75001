/** Which namespaces' flows somebody gets to see of those that a question is about. */
import type { Asker, FlowQuestion } from '../../flows/index.ts';
import { HttpProblem } from '../doors/index.ts';
import type { FlowRights, FlowVerb } from './flow_rights.ts';

/** Namespaces whose rights are asked one by one for a question. */
export const MAX_NAMESPACES = 64;

/** What may be seen. `undefined`: flows of all namespaces, and of none. */
export type Visible = ReadonlySet<string> | undefined;

const FORBIDDEN = 403;

/**
 * @param all the namespaces that there are
 * @throws HttpProblem 403 where a namespace is named that the user may not see, or nothing may be seen; SluiceError `RIGHTS_UNCHECKED`
 */
export async function visibleTo(
  asker: Asker,
  verb: FlowVerb,
  { namespaces }: FlowQuestion,
  rights: Pick<FlowRights, 'may'>,
  all: Iterable<string>,
): Promise<Visible> {
  if (namespaces !== undefined && namespaces.length > MAX_NAMESPACES)
    throw new HttpProblem(
      FORBIDDEN,
      `the question names more than ${MAX_NAMESPACES} namespaces: name fewer, or none`,
    );
  if (await rights.may(asker, verb)) return namespaces === undefined ? undefined : new Set(namespaces);
  if (namespaces !== undefined) {
    const hidden = await hiddenOf(asker, verb, namespaces, rights);
    if (hidden.length > 0) throw forbidden(asker, verb, `in the namespace ${hidden.join(', ')}`);
    return new Set(namespaces);
  }
  const names = [...all];
  if (names.length > MAX_NAMESPACES)
    throw forbidden(
      asker,
      verb,
      `at the cluster scope, and there are more than ${MAX_NAMESPACES} namespaces to ask about: name some`,
    );
  const hidden = new Set(await hiddenOf(asker, verb, names, rights));
  const seen = names.filter((name) => !hidden.has(name));
  if (seen.length === 0) throw forbidden(asker, verb, 'in any namespace');
  return new Set(seen);
}

async function hiddenOf(
  asker: Asker,
  verb: FlowVerb,
  namespaces: readonly string[],
  rights: Pick<FlowRights, 'may'>,
): Promise<readonly string[]> {
  const may = await Promise.all(namespaces.map((namespace) => rights.may(asker, verb, namespace)));
  return namespaces.filter((_, index) => may[index] !== true);
}

/** As the API server says it. */
function forbidden({ username }: Asker, verb: FlowVerb, where: string): HttpProblem {
  return new HttpProblem(
    FORBIDDEN,
    `flows.sluice.dev is forbidden: User "${username}" cannot ${verb} resource "flows" in API group "sluice.dev" ${where}`,
  );
}
