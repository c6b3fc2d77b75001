/** What one document of a manifest comes to. */
import type { ClusterKind, ObjectOf } from '../../policy/index.ts';

/** An object that tables are made of, with what it was read from. */
export type DocumentObject<Kind extends ClusterKind = ClusterKind> = {
  readonly [K in Kind]: {
    readonly kind: K;
    readonly key: string;
    readonly object: ObjectOf<K>;
    /** Only of a policy that does not pass validation: it isolates what it selects, and its faulty rules admit nothing. */
    readonly isolating: boolean;
    readonly raw: RawManifest;
    /** Where in its document it stands, such as `items[3].`; absent: it is the document. */
    readonly within?: string;
  };
}[Kind];

/** An object as the file has it. */
export type RawManifest = Readonly<Record<string, unknown>>;

/** A fault in one document. */
export interface DocumentProblem {
  /** Such as `NetworkPolicy shop/api`, where known. */
  readonly object?: string;
  /** Field, such as `spec.ingress[0].from[1].ipBlock.cidr`; starts with `items[N].` in a list. */
  readonly path?: string;
  readonly message: string;
  readonly severity: 'error' | 'warning';
  /** It is about a policy of another API, of which no verdict here takes account. */
  readonly notConsidered?: true;
  /** The document is no object of a cluster, and was passed over. */
  readonly passedOver?: true;
}

/** Where a document stands, and what it leaves to that. */
export interface DocumentContext {
  /** Where namespaced objects without a namespace are; default `default`, as in kubectl. */
  readonly namespace?: string;
  /** The file's name; some names are those of other tools' files. */
  readonly file?: string;
}

/** An object of a kind that no table depends on. */
export interface OtherObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: RawManifest;
  /** As of a `DocumentObject`. */
  readonly within?: string;
}

/** All that one document holds. */
export interface DocumentContent {
  readonly objects: readonly DocumentObject[];
  readonly others: readonly OtherObject[];
  readonly problems: readonly DocumentProblem[];
}
