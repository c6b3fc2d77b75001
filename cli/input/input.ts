/** What a command has been given to look at. */
import type { Manifests, Places } from '../../sources/index.ts';

/** Where it comes from. */
export type Origin =
  | { readonly kind: 'files'; readonly paths: readonly string[] }
  | { readonly kind: 'lab'; readonly lab: string }
  | { readonly kind: 'cluster'; readonly context: string; readonly server: string };

/** A kind of objects that the user may not list. */
export interface UnlistedKind {
  /** `Deployment`. */
  readonly kind: string;
  /** `list deployments.apps in namespace shop`. */
  readonly right: string;
}

/** A cluster's objects, wherever they come from. */
export interface Input {
  readonly origin: Origin;
  /** For messages: `the manifests have no pod shop/web`. */
  readonly noun: string;
  /** The namespace of names without one; undefined: none was given. */
  readonly namespace?: string;
  readonly manifests: Manifests;
  /** Where fields stand in files; nothing is found of other origins. */
  readonly places: Places;
  /** Kinds whose names are not all known. */
  readonly unlisted: readonly UnlistedKind[];
  /** What could not be read, and so is not known: a sentence each. */
  readonly notes: readonly string[];
}
