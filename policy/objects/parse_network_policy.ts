/** Reads NetworkPolicy objects. Source: `NetworkPolicySpec` in networking.k8s.io/v1 and the API server's validation. */

import { isRecord } from '../../common/shape.ts';
import type { Direction, NetworkPolicy, NetworkPolicyRule } from '../model.ts';
import type { Field } from './field.ts';
import { checkType, readNamespacedMetadata } from './parse_metadata.ts';
import { readRule } from './parse_rule.ts';
import { readSelector } from './parse_selector.ts';
import { type Parsed, parseWith } from './parsed.ts';
import { writtenEntries } from './policy_entries.ts';
import { tooMuch } from './policy_limits.ts';
import { withoutRules } from './without_rules.ts';

const API_VERSION = 'networking.k8s.io/v1';
const DIRECTIONS = { Ingress: 'ingress', Egress: 'egress' } as const;
const POLICY_TYPES = ['Ingress', 'Egress'] as const;
/** The API server's own bound; it also keeps `policyTypes` a set in practice. */
const MAX_POLICY_TYPES = 2;

/** A policy as far as it could be read. */
interface Draft {
  readonly policy: NetworkPolicy;
  /** Whom the policy isolates is known: its names and its podSelector passed. */
  readonly subjectKnown: boolean;
  /** How many of the errors concern one rule or the podSelector only, and leave the meaning of all other rules as it is. */
  readonly confinedErrors: number;
}

/** Rules without a fault, and how many errors those with one have. */
interface Rules {
  readonly good: readonly NetworkPolicyRule[];
  readonly errors: number;
}

/** A faulty rule is left out whole: the peers and ports that could be read may admit more than was meant. */
function readRules(field: Field, direction: Direction): Rules {
  const { errors } = field.findings;
  const good: NetworkPolicyRule[] = [];
  let count = 0;
  for (const [index, item] of field.items().entries()) {
    const before = errors.length;
    if (item.isAbsent) item.invalid('must be a rule; write {} for one that allows everything');
    const rule = item.isAbsent ? undefined : readRule(item, direction);
    const found = errors.length - before;
    count += found;
    if (rule === undefined || found > 0) continue;
    good.push(index === good.length ? rule : { ...rule, index });
  }
  return { good, errors: count };
}

/** Whether a list field holds anything. What is not a list counts as holding something. */
function holdsAnything(field: Field): boolean {
  return !field.isAbsent && !(Array.isArray(field.value) && field.value.length === 0);
}

function readPolicyTypes(field: Field, egress: Field): Direction[] {
  const items = field.items();
  // policyTypes: absent or empty, Ingress always, and Egress if there is at least one egress rule.
  if (!holdsAnything(field)) return holdsAnything(egress) ? ['ingress', 'egress'] : ['ingress'];
  const errorsBefore = field.findings.errors.length;
  if (items.length > MAX_POLICY_TYPES) field.invalid('may not specify more than two policyTypes');
  const types = items.map((item) => {
    if (item.isAbsent) item.notSupported(POLICY_TYPES);
    return item.word(POLICY_TYPES);
  });
  // It is not known what was meant. Both directions, so that a mistake does not open one.
  if (items.length === 0 || field.findings.errors.length > errorsBefore) return ['ingress', 'egress'];
  return (['Ingress', 'Egress'] as const)
    .filter((type) => types.includes(type))
    .map((type) => DIRECTIONS[type]);
}

function readPolicy(object: Field): Draft {
  const { errors } = object.findings;
  object.object(['apiVersion', 'kind', 'metadata', 'spec', 'status']);
  const spec = object.child('spec');
  const { namespace, name } = readNamespacedMetadata(object);
  const specIsObject = spec.object(['podSelector', 'policyTypes', 'ingress', 'egress']);
  // podSelector: absent, it selects every pod of the namespace, as the empty one does.
  const errorsBefore = errors.length;
  const podSelector = readSelector(spec.child('podSelector'));
  // Older API servers took values that no label can have: such a selector means what it says.
  const ofSelector = errors.slice(errorsBefore);
  const selectorKnown = specIsObject && ofSelector.every(({ legible }) => legible);
  checkType(object, API_VERSION, 'NetworkPolicy');
  const ingress = readRules(spec.child('ingress'), 'ingress');
  const egress = readRules(spec.child('egress'), 'egress');
  const policy: NetworkPolicy = {
    namespace,
    name,
    podSelector,
    policyTypes: readPolicyTypes(spec.child('policyTypes'), spec.child('egress')),
    ingress: ingress.good,
    egress: egress.good,
  };
  return {
    policy,
    subjectKnown: selectorKnown && name !== '',
    confinedErrors: ofSelector.length + ingress.errors + egress.errors,
  };
}

/**
 * Reads a NetworkPolicy, refusing what the API server refuses. Warnings: unknown fields, CIDRs that newer API servers
 * refuse. When refused, `isolating` is the same policy without its faulty rules, if its names and podSelector could be
 * read; without any rule where something else is wrong than rules, such as its version.
 * @param maxEntries one with more entries (see `policyEntries`) is refused, its rules unread
 */
export function parseNetworkPolicy(
  value: unknown,
  maxEntries = Number.POSITIVE_INFINITY,
): Parsed<NetworkPolicy> {
  const excess = Number.isFinite(maxEntries) ? tooLarge(value, maxEntries) : undefined;
  const { findings, object } = parseWith(excess?.rest ?? value, readPolicy);
  if (excess !== undefined) findings.errors.push({ path: 'spec', message: excess.message });
  const { errors, warnings } = findings;
  if (object !== undefined && errors.length === 0) return { ok: true, object: object.policy, warnings };
  if (!object?.subjectKnown) return { ok: false, errors };
  const { policy, confinedErrors } = object;
  const isolating = errors.length === confinedErrors ? policy : withoutRules(policy);
  return { ok: false, errors, isolating };
}

/** Says that an object has too many entries, and gives it without its rules: which pods it isolates, in which directions. */
function tooLarge(value: unknown, maxEntries: number): { message: string; rest: unknown } | undefined {
  if (!isRecord(value)) return undefined;
  const { spec } = value;
  const message = tooMuch('entries', writtenEntries(spec), maxEntries);
  if (message === undefined) return undefined;
  const { podSelector, policyTypes, egress } = isRecord(spec) ? spec : {};
  const isLarge = (part: unknown) => writtenEntries(part) > maxEntries;
  const isEmpty = egress === undefined || egress === null || (Array.isArray(egress) && egress.length === 0);
  const rest = {
    // A selector that is too large itself is not read either: it counts as selecting every pod.
    podSelector: isLarge(podSelector) ? {} : podSelector,
    policyTypes: isLarge(policyTypes) ? undefined : policyTypes,
    egress: isEmpty ? [] : [{}],
  };
  return { message, rest: { ...value, spec: rest } };
}
