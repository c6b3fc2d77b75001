/** What is wrong with a manifest, where, and what that means for what is enforced. */
import { printable } from '../common/printable.ts';
import type { DocumentProblem } from './objects/index.ts';

/** A fault in a manifest file. An error keeps an object out of the cluster; a warning does not. */
export interface ManifestProblem extends DocumentProblem {
  readonly file: string;
  /** 1-based; 0 when the file as a whole is meant. */
  readonly document: number;
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
