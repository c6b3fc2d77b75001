/** Services, as rules look at them. */
import type { Service } from '../../policy/index.ts';
import type { Manifests } from '../../sources/index.ts';
import type { LintedObject } from '../finding.ts';
import { lintedObject } from './linted_object.ts';

/** A Service, with where it stands. */
export interface LintedService {
  readonly service: Service;
  readonly object: LintedObject;
}

/** All of them, by key. */
export function servicesOf({ objects }: Manifests): readonly LintedService[] {
  return objects
    .flatMap((loaded) =>
      loaded.kind === 'Service' ? [{ service: loaded.object, object: lintedObject(loaded) }] : [],
    )
    .sort((a, b) => (a.object.key < b.object.key ? -1 : 1));
}
