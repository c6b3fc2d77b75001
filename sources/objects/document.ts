/** Objects of one manifest document: Kubernetes kinds are told apart, lists are opened, each object is checked. */

import { messageOf } from '../../common/errno.ts';
import { isRecord } from '../../common/shape.ts';
import {
  CLUSTER_KINDS,
  type ClusterKind,
  clusterKey,
  DEFAULT_NAMESPACE,
  type FieldError,
  isClusterKind,
  KINDS,
  type ObjectOf,
  type Parsed,
  withoutRules,
} from '../../policy/index.ts';
import { type ParsedText, parseText } from '../text/index.ts';
import { completeMetadata } from './defaults.ts';
import {
  hintOfList,
  hintOfTemplate,
  hintWithoutKind,
  isPolicyOfSomeApi,
  kustomizeHint,
  TEMPLATE_HINT,
} from './foreign_kinds.ts';
import { isWorkloadKind, podTemplate } from './workload_kinds.ts';

/** An object that tables are made of, with what it was read from. */
export type DocumentObject<Kind extends ClusterKind = ClusterKind> = {
  readonly [K in Kind]: {
    readonly kind: K;
    readonly key: string;
    readonly object: ObjectOf<K>;
    /** Only of a policy that does not pass validation: it isolates what it selects, and its faulty rules admit nothing. */
    readonly isolating: boolean;
    readonly raw: RawManifest;
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
}

/** All that one document holds. */
export interface DocumentContent {
  readonly objects: readonly DocumentObject[];
  readonly others: readonly OtherObject[];
  readonly problems: readonly DocumentProblem[];
}

/** Other kinds of the policy API's group: anything else there is taken for a misspelt policy. */
const OTHER_NETWORKING_KINDS = new Set(['Ingress', 'IngressClass', 'IPAddress', 'ServiceCIDR']);

/**
 * Reads one document. Never throws: what is wrong comes back as problems.
 * @param line Line of the file the document starts at, for messages.
 */
export function readDocument(text: string, line: number, context: DocumentContext = {}): DocumentContent {
  const content = new ContentBuilder(context);
  try {
    content.addText(text, line);
  } catch (cause) {
    // Nested so deeply that the stack ends, most likely. One document must not keep all others from being read.
    content.addUnusable(messageOf(cause));
  }
  return content;
}

class ContentBuilder implements DocumentContent {
  readonly objects: DocumentObject[] = [];
  readonly others: OtherObject[] = [];
  readonly problems: DocumentProblem[] = [];
  readonly #namespace: string;
  readonly #file: string;

  constructor({ namespace = DEFAULT_NAMESPACE, file = '' }: DocumentContext) {
    this.#namespace = namespace;
    this.#file = file;
  }

  addText(text: string, line: number): void {
    const parsed = parseText(text);
    if (!parsed.ok) this.#addBroken(parsed, line, text);
    else if (parsed.value !== undefined && parsed.value !== null) this.#add(parsed.value, '');
  }

  addUnusable(reason: string): void {
    this.#error('', `cannot be read: ${reason}`);
  }

  #add(value: unknown, prefix: string): void {
    if (!isRecord(value)) {
      const hint = prefix === '' && Array.isArray(value) ? hintOfList(value) : undefined;
      if (hint !== undefined) this.#passOver(hint);
      else this.#error(prefix, `wants an object with apiVersion and kind, not ${describeType(value)}`);
      return;
    }
    const { kind, apiVersion } = value;
    if (typeof kind !== 'string' || kind === '') {
      this.#addKindless(value, prefix);
    } else if (kind.endsWith('List') && isListOfItems(value)) {
      this.#addList(value, kind.slice(0, -'List'.length), prefix);
    } else if (typeof apiVersion !== 'string' || apiVersion === '') {
      this.#error(`${prefix}apiVersion`, 'is required', nameOf(kind, value));
      // Most likely ours: a policy must not vanish for want of a line.
      if (isClusterKind(kind)) this.#addObject(kind, this.#complete(kind, value), prefix);
    } else if (isClusterKind(kind) && (apiVersion === KINDS[kind].apiVersion || isKubernetes(apiVersion))) {
      // Of a wrong version it is a broken object, and a policy isolates as any broken one does.
      this.#addObject(kind, this.#complete(kind, value), prefix);
    } else {
      this.#addOther(kind, apiVersion, this.#complete(kind, value), prefix);
    }
  }

  #addKindless(value: RawManifest, prefix: string): void {
    const hint = prefix === '' ? hintWithoutKind(this.#file, value) : undefined;
    if (hint === undefined) this.#error(`${prefix}kind`, 'is required');
    else this.#passOver(hint);
  }

  #passOver(hint: string): void {
    this.problems.push({ message: `passed over: ${hint}`, severity: 'warning', passedOver: true });
  }

  /** The object with what it leaves to where it stands. */
  #complete(kind: string, raw: RawManifest): RawManifest {
    // Of other kinds it is not known, but what makes pods is where they are.
    const isNamespaced = isClusterKind(kind)
      ? KINDS[kind].namespaced
      : isWorkloadKind(kind) || podTemplate(raw) !== undefined;
    const { object, madeName } = completeMetadata(raw, isNamespaced ? this.#namespace : undefined);
    if (madeName !== undefined)
      this.#warn(nameOf(kind, object), `has generateName: it is called ${madeName} here`);
    return object;
  }

  #addBroken(parsed: Extract<ParsedText, { ok: false }>, line: number, text: string): void {
    const policy = parsed.policy && this.#complete('NetworkPolicy', parsed.policy);
    const place = `line ${line + parsed.line - 1}, column ${parsed.column}`;
    const message = `${place}: ${parsed.message}${hintOfTemplate(text)}`;
    this.problems.push({
      ...(policy ? { object: nameOf('NetworkPolicy', policy) } : {}),
      message,
      severity: 'error',
    });
    if (policy === undefined) return;
    const rest = KINDS.NetworkPolicy.parse(policy);
    const object = rest.ok ? rest.object : rest.isolating;
    if (object !== undefined)
      this.objects.push(documentObject('NetworkPolicy', withoutRules(object), policy, true));
  }

  #addList(list: RawManifest, itemKind: string, prefix: string): void {
    // A Go client prints a list of nothing as null.
    for (const [index, item] of ((list.items ?? []) as readonly unknown[]).entries()) {
      // Items of a PodList and the like may leave out what the list's own type says.
      const typed =
        itemKind !== '' && isRecord(item) ? { apiVersion: list.apiVersion, kind: itemKind, ...item } : item;
      this.#add(typed, `${prefix}items[${index}].`);
    }
  }

  #addObject(kind: ClusterKind, raw: RawManifest, prefix: string): void {
    const object = this.#readObject(kind, raw, prefix);
    if (object !== undefined) this.objects.push(object);
  }

  #readObject<Kind extends ClusterKind>(
    kind: Kind,
    raw: RawManifest,
    prefix: string,
  ): DocumentObject<Kind> | undefined {
    const { parse, withoutRules } = KINDS[kind];
    const parsed = parse(raw);
    this.#report(kind, raw, prefix, parsed);
    if (parsed.ok) {
      // Without a version it is not known what the rules of a policy mean.
      if (withoutRules === undefined || typeof raw.apiVersion === 'string')
        return documentObject(kind, parsed.object, raw, false);
      return documentObject(kind, withoutRules(parsed.object), raw, true);
    }
    return parsed.isolating && documentObject(kind, parsed.isolating, raw, true);
  }

  #addOther(kind: string, apiVersion: string, raw: RawManifest, prefix: string): void {
    const meant = CLUSTER_KINDS.find((known) => known.toLowerCase() === kind.toLowerCase());
    const object = nameOf(kind, raw);
    if (apiVersion === KINDS.NetworkPolicy.apiVersion && !OTHER_NETWORKING_KINDS.has(kind)) {
      this.#error(
        `${prefix}kind`,
        `'${kind}' is no kind of ${apiVersion}; NetworkPolicy may be meant`,
        object,
      );
    } else if (meant !== undefined && apiVersion === KINDS[meant].apiVersion) {
      this.#error(`${prefix}kind`, `'${kind}' is no kind of ${apiVersion}; ${meant} may be meant`, object);
    } else if (isPolicyOfSomeApi(kind)) {
      this.#notConsidered(
        object,
        `${prefix}apiVersion`,
        `'${apiVersion}' is not ${KINDS.NetworkPolicy.apiVersion}`,
      );
    } else if (kind === 'Template' && Array.isArray(raw.objects)) {
      this.#addTemplate(object, raw.objects, prefix);
    }
    const hint = kustomizeHint(apiVersion);
    if (hint !== undefined) this.#warn(object, `passed over: it ${hint}`);
    this.others.push({ apiVersion, kind, raw });
  }

  /** Nothing in a Template is an object yet: its parameters are open. */
  #addTemplate(template: string, objects: readonly unknown[], prefix: string): void {
    this.#warn(template, `passed over with its objects (${objects.length}): it ${TEMPLATE_HINT}`);
    for (const [index, object] of objects.entries()) {
      if (!isRecord(object) || typeof object.kind !== 'string' || !isPolicyOfSomeApi(object.kind)) continue;
      this.#notConsidered(nameOf(object.kind, object), `${prefix}objects[${index}]`, `is in ${template}`);
    }
  }

  #warn(object: string, message: string): void {
    this.problems.push({ object, message, severity: 'warning' });
  }

  #notConsidered(object: string, path: string, why: string): void {
    const message = `${why}: this policy is not considered`;
    this.problems.push({ object, path, message, severity: 'warning', notConsidered: true });
  }

  #report(kind: string, raw: RawManifest, prefix: string, parsed: Parsed<unknown>): void {
    const object = nameOf(kind, raw);
    if (parsed.ok) {
      for (const message of parsed.warnings) this.problems.push({ object, message, severity: 'warning' });
      return;
    }
    for (const error of parsed.errors) this.#error(joinPath(prefix, error), error.message, object);
  }

  #error(path: string, message: string, object?: string): void {
    const field = path.replace(/\.$/, '');
    this.problems.push({
      ...(object === undefined ? {} : { object }),
      ...(field === '' ? {} : { path: field }),
      message,
      severity: 'error',
    });
  }
}

function documentObject<Kind extends ClusterKind>(
  kind: Kind,
  object: ObjectOf<Kind>,
  raw: RawManifest,
  isolating: boolean,
): DocumentObject<Kind> {
  return { kind, key: clusterKey(object), object, raw, isolating };
}

function isListOfItems(value: RawManifest): boolean {
  return Array.isArray(value.items) || (Object.hasOwn(value, 'items') && value.items === null);
}

function joinPath(prefix: string, error: FieldError): string {
  return `${prefix}${error.path}`;
}

/**
 * Whether a group is Kubernetes' own, or a misspelt one of it: the core group and the early ones (`extensions`) have no
 * dot, which the group of a custom resource must have, and `*.k8s.io` is reserved. Only another API, such as
 * `crd.projectcalico.org/v3`, may have a NetworkPolicy that means something else.
 */
function isKubernetes(apiVersion: string): boolean {
  const [group = ''] = apiVersion.split('/');
  return !group.includes('.') || group.endsWith('k8s.io') || group.startsWith('networking.');
}

/** Kind and name for people, as far as the object tells them: `NetworkPolicy shop/api`. */
function nameOf(kind: string, raw: RawManifest): string {
  const metadata = isRecord(raw.metadata) ? raw.metadata : {};
  const { name, namespace } = metadata;
  if (typeof name !== 'string') return kind;
  return typeof namespace === 'string' ? `${kind} ${namespace}/${name}` : `${kind} ${name}`;
}

function describeType(value: unknown): string {
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
