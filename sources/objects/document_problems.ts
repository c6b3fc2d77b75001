/** The problems of one document, as they are found. */
import { isRecord } from '../../common/shape.ts';
import type { Parsed } from '../../policy/index.ts';
import type { DocumentProblem, RawManifest } from './document_content.ts';

/** Collects problems; each method adds one, in the words that users see. */
export class DocumentProblems {
  readonly #found: DocumentProblem[] = [];

  get all(): readonly DocumentProblem[] {
    return this.#found;
  }

  /** The document is no object of a cluster. */
  passOver(hint: string): void {
    this.#found.push({ message: `passed over: ${hint}`, severity: 'warning', passedOver: true });
  }

  /** Something its author should know. */
  warn(object: string, message: string): void {
    this.#found.push({ object, message, severity: 'warning' });
  }

  /** A policy of another API. */
  notConsidered(object: string, path: string, why: string): void {
    const message = `${why}: this policy is not considered`;
    this.#found.push({ object, path, message, severity: 'warning', notConsidered: true });
  }

  /** What a parser found. @param prefix of its fields' paths */
  report(kind: string, raw: RawManifest, prefix: string, parsed: Parsed<unknown>): void {
    const object = nameOf(kind, raw);
    if (parsed.ok) {
      for (const message of parsed.warnings) this.#found.push({ object, message, severity: 'warning' });
      return;
    }
    for (const error of parsed.errors) this.error(`${prefix}${error.path}`, error.message, object);
  }

  /** A fault of a field; with an empty `path`, of the whole document or object. */
  error(path: string, message: string, object?: string): void {
    const field = path.replace(/\.$/, '');
    this.#found.push({
      ...(object === undefined ? {} : { object }),
      ...(field === '' ? {} : { path: field }),
      message,
      severity: 'error',
    });
  }
}

/** Kind and name for people, as far as the object has them: `NetworkPolicy shop/api`. */
export function nameOf(kind: string, raw: RawManifest): string {
  const metadata = isRecord(raw.metadata) ? raw.metadata : {};
  const { name, namespace } = metadata;
  if (typeof name !== 'string') return kind;
  return typeof namespace === 'string' ? `${kind} ${namespace}/${name}` : `${kind} ${name}`;
}
