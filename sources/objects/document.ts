/** The objects of one manifest document: lists are opened, and each object is read by its kind. */

import { messageOf } from '../../common/errno.ts';
import { isRecord } from '../../common/shape.ts';
import {
  CLUSTER_KINDS,
  type ClusterKind,
  DEFAULT_NAMESPACE,
  isClusterKind,
  KINDS,
  withoutRules,
} from '../../policy/index.ts';
import { type ParsedText, parseText } from '../text/index.ts';
import { documentObject, readClusterObject } from './cluster_object.ts';
import { completeMetadata } from './defaults.ts';
import type {
  DocumentContent,
  DocumentContext,
  DocumentObject,
  DocumentProblem,
  OtherObject,
  RawManifest,
} from './document_content.ts';
import { DocumentProblems, nameOf } from './document_problems.ts';
import {
  hintOfList,
  hintOfTemplate,
  hintWithoutKind,
  isKubernetes,
  isMisspeltPolicy,
  isPolicyOfSomeApi,
  kustomizeHint,
  TEMPLATE_HINT,
} from './foreign_kinds.ts';
import { isWorkloadKind, podTemplate } from './workload_kinds.ts';

/**
 * Reads one document. Never throws: what is wrong comes back as problems.
 * @param line Line of the file the document starts at, for messages.
 * @param json What it holds, where that is known; see `CutDocument`.
 */
export function readDocument(
  text: string,
  line: number,
  context: DocumentContext = {},
  json?: unknown,
): DocumentContent {
  const content = new ContentBuilder(context);
  try {
    content.addText(text, line, json);
  } catch (cause) {
    // Nested so deeply that the stack ends, most likely. One document must not keep all others from being read.
    content.addUnusable(messageOf(cause));
  }
  return content;
}

/** Reads what somebody else has parsed, such as a list of the API. Never throws. */
export function readValue(value: unknown, context: DocumentContext = {}): DocumentContent {
  const content = new ContentBuilder(context);
  try {
    content.addValue(value);
  } catch (cause) {
    content.addUnusable(messageOf(cause));
  }
  return content;
}

class ContentBuilder implements DocumentContent {
  readonly objects: DocumentObject[] = [];
  readonly others: OtherObject[] = [];
  readonly #problems = new DocumentProblems();
  readonly #namespace: string;
  readonly #file: string;

  constructor({ namespace = DEFAULT_NAMESPACE, file = '' }: DocumentContext) {
    this.#namespace = namespace;
    this.#file = file;
  }

  get problems(): readonly DocumentProblem[] {
    return this.#problems.all;
  }

  addText(text: string, line: number, json: unknown): void {
    const parsed = parseText(text, json);
    if (!parsed.ok) this.#addBroken(parsed, line, text);
    else if (parsed.value !== undefined && parsed.value !== null) this.#add(parsed.value, '');
  }

  addValue(value: unknown): void {
    this.#add(value, '');
  }

  addUnusable(reason: string): void {
    this.#problems.error('', `cannot be read: ${reason}`);
  }

  #add(value: unknown, prefix: string): void {
    if (!isRecord(value)) {
      const hint = prefix === '' && Array.isArray(value) ? hintOfList(value) : undefined;
      if (hint !== undefined) this.#problems.passOver(hint);
      else
        this.#problems.error(prefix, `wants an object with apiVersion and kind, not ${describeType(value)}`);
      return;
    }
    const { kind, apiVersion } = value;
    if (typeof kind !== 'string' || kind === '') {
      this.#addKindless(value, prefix);
    } else if (kind.endsWith('List') && isListOfItems(value)) {
      this.#addList(value, kind.slice(0, -'List'.length), prefix);
    } else if (isBrokenList(kind, value)) {
      const problem = value.items === undefined ? 'is required' : 'must be a list';
      this.#problems.error(`${prefix}items`, problem);
    } else if (typeof apiVersion !== 'string' || apiVersion === '') {
      this.#problems.error(`${prefix}apiVersion`, 'is required', nameOf(kind, value));
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
    if (hint === undefined) this.#problems.error(`${prefix}kind`, 'is required');
    else this.#problems.passOver(hint);
  }

  /** The object with what it leaves to where it stands. */
  #complete(kind: string, raw: RawManifest): RawManifest {
    // Of other kinds it is not known, but what makes pods is where they are.
    const isNamespaced = isClusterKind(kind)
      ? KINDS[kind].namespaced
      : isWorkloadKind(kind) || podTemplate(raw) !== undefined;
    const { object, madeName } = completeMetadata(raw, isNamespaced ? this.#namespace : undefined);
    if (madeName !== undefined)
      this.#problems.warn(nameOf(kind, object), `has generateName: it is called ${madeName} here`);
    return object;
  }

  #addBroken(parsed: Extract<ParsedText, { ok: false }>, line: number, text: string): void {
    const policy = parsed.policy && this.#complete('NetworkPolicy', parsed.policy);
    const place = `line ${line + parsed.line - 1}, column ${parsed.column}`;
    const message = `${place}: ${parsed.message}${hintOfTemplate(text)}`;
    this.#problems.error('', message, policy && nameOf('NetworkPolicy', policy));
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
    const { parsed, object } = readClusterObject(kind, raw);
    this.#problems.report(kind, raw, prefix, parsed);
    if (object !== undefined) this.objects.push({ ...object, ...within(prefix) });
  }

  #addOther(kind: string, apiVersion: string, raw: RawManifest, prefix: string): void {
    const meant = CLUSTER_KINDS.find((known) => known.toLowerCase() === kind.toLowerCase());
    const object = nameOf(kind, raw);
    if (apiVersion === KINDS.NetworkPolicy.apiVersion && isMisspeltPolicy(kind)) {
      this.#problems.error(
        `${prefix}kind`,
        `'${kind}' is no kind of ${apiVersion}; NetworkPolicy may be meant`,
        object,
      );
    } else if (meant !== undefined && apiVersion === KINDS[meant].apiVersion) {
      this.#problems.error(
        `${prefix}kind`,
        `'${kind}' is no kind of ${apiVersion}; ${meant} may be meant`,
        object,
      );
    } else if (isPolicyOfSomeApi(kind)) {
      this.#problems.notConsidered(
        object,
        `${prefix}apiVersion`,
        `'${apiVersion}' is not ${KINDS.NetworkPolicy.apiVersion}`,
      );
    } else if (kind === 'Template' && Array.isArray(raw.objects)) {
      this.#addTemplate(object, raw.objects, prefix);
    }
    const hint = kustomizeHint(apiVersion);
    if (hint !== undefined) this.#problems.warn(object, `passed over: it ${hint}`);
    this.others.push({ apiVersion, kind, raw, ...within(prefix) });
  }

  /** Nothing in a Template is an object yet: its parameters are open. */
  #addTemplate(template: string, objects: readonly unknown[], prefix: string): void {
    this.#problems.warn(template, `passed over with its objects (${objects.length}): it ${TEMPLATE_HINT}`);
    for (const [index, object] of objects.entries()) {
      if (!isRecord(object) || typeof object.kind !== 'string' || !isPolicyOfSomeApi(object.kind)) continue;
      this.#problems.notConsidered(
        nameOf(object.kind, object),
        `${prefix}objects[${index}]`,
        `is in ${template}`,
      );
    }
  }
}

function within(prefix: string): { readonly within?: string } {
  return prefix === '' ? {} : { within: prefix };
}

function isListOfItems(value: RawManifest): boolean {
  return Array.isArray(value.items) || (Object.hasOwn(value, 'items') && value.items === null);
}

/** Whether policies may be meant that are nowhere to be found. A kind of others may end in `List` and be no list. */
function isBrokenList(kind: string, value: RawManifest): boolean {
  if (!kind.endsWith('List')) return false;
  const itemKind = kind.slice(0, -'List'.length);
  return (
    Object.hasOwn(value, 'items') || itemKind === '' || isClusterKind(itemKind) || isWorkloadKind(itemKind)
  );
}

function describeType(value: unknown): string {
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
