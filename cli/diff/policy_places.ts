/** Where policies and their rules stand in the files of both sides. */
import type { Direction } from '../../policy/index.ts';
import { createPlaces, type Manifests, type Place } from '../../sources/index.ts';
import type { SideName } from './rule_changes.ts';

/** A policy of one side, or a rule of it. */
export interface PolicyPart {
  readonly side: SideName;
  readonly policy: string;
  readonly rule?: { readonly direction: Direction; readonly index: number };
}

/** Undefined for what comes from no file, such as a cluster. Each place is looked for once. */
export function createPolicyPlaces(
  sides: Readonly<Record<SideName, Manifests>>,
): (part: PolicyPart) => Place | undefined {
  const finders = { before: placesIn(sides.before), after: placesIn(sides.after) };
  return ({ side, policy, rule }) =>
    finders[side](policy, rule === undefined ? [] : ['spec', rule.direction, rule.index]);
}

function placesIn({ objects, files }: Manifests) {
  const places = createPlaces(files);
  const policies = new Map(
    objects.flatMap((object) => (object.kind === 'NetworkPolicy' ? [[object.key, object] as const] : [])),
  );
  const known = new Map<string, Place | undefined>();
  return (policy: string, path: readonly (string | number)[]): Place | undefined => {
    const key = `${path.join('.')} ${policy}`;
    const object = policies.get(policy);
    if (object !== undefined && !known.has(key)) known.set(key, places.find(object, path));
    return known.get(key);
  };
}
