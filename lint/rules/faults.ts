/** What the reader of manifests says of policies, with the objects that it is about. */
import { fieldsOf } from '../../common/shape.ts';
import type { FieldPath, ManifestProblem } from '../../sources/index.ts';
import type { LintedObject } from '../finding.ts';
import type { Model } from '../model/index.ts';

/** A fault of a policy. */
export interface Fault {
  readonly object: LintedObject;
  readonly path: FieldPath;
  readonly message: string;
}

/** Whether a problem is about a NetworkPolicy, of any version. */
function isOfPolicy({ object = '', path = '', message }: ManifestProblem): boolean {
  const isMisspelt = /(?:^|\.)kind$/.test(path) && message.includes('NetworkPolicy may be meant');
  return isMisspelt || /^NetworkPolicy\b/.test(object);
}

/** Errors in policies. A policy that stands in two places is not among them. */
export function policyErrors({ manifests }: Model): readonly Fault[] {
  const objects = new Map(
    manifests.objects.flatMap((loaded) =>
      loaded.kind === 'NetworkPolicy' ? [[loaded.key, loaded] as const] : [],
    ),
  );
  return manifests.problems
    .filter((problem) => problem.severity === 'error' && isOfPolicy(problem) && !isDuplicate(problem))
    .map(({ file, document, object = 'NetworkPolicy', path = '', message }) => {
      const key = object.replace(/^\S+ ?/, '');
      const raw = objects.get(key)?.raw;
      return {
        object: {
          kind: 'NetworkPolicy',
          key,
          file,
          document,
          annotations: fieldsOf(fieldsOf(raw?.metadata).annotations),
        },
        path: pathOf(path),
        message,
      };
    });
}

/** Policies that stand in two places. */
export function duplicates({ manifests }: Model): readonly ManifestProblem[] {
  return manifests.problems.filter((problem) => isOfPolicy(problem) && isDuplicate(problem));
}

function isDuplicate({ message }: ManifestProblem): boolean {
  return message.startsWith('is also in ');
}

/** `items[0].spec.ingress[1]` as steps. */
export function pathOf(text: string): FieldPath {
  return [...text.matchAll(/([^.[\]]+)|\[(\d+)\]/g)].map(([, key, index]) =>
    index === undefined ? (key ?? '') : Number(index),
  );
}
