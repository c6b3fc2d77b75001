/** What is wrong with a manifest, where, and what that means for what is enforced. */
import { printable } from '../common/printable.ts';

/** A fault in a manifest file. An error keeps an object out of the cluster; a warning does not. */
export interface ManifestProblem {
  readonly file: string;
  /** 1-based; 0 when the file as a whole is meant. */
  readonly document: number;
  /** Such as `NetworkPolicy shop/api`, where known. */
  readonly object?: string;
  /** Field, such as `spec.ingress[0].from[1].ipBlock.cidr`. */
  readonly path?: string;
  readonly message: string;
  readonly severity: 'error' | 'warning';
  /** It is about a policy of another API, of which no verdict here takes account. */
  readonly notConsidered?: true;
  /** The document is no object of a cluster, and was passed over. */
  readonly passedOver?: true;
}

/** One line for people: `web.yaml, document 2, NetworkPolicy shop/api, spec.podSelector: is required`. */
export function describeProblem(problem: ManifestProblem): string {
  const place = [
    problem.file,
    problem.document > 0 ? `document ${problem.document}` : '',
    problem.object ?? '',
    problem.path ?? '',
  ];
  return printable(`${place.filter((part) => part !== '').join(', ')}: ${problem.message}`);
}
