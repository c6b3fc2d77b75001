/** Reads NetworkPolicy objects. Source: `NetworkPolicySpec` in networking.k8s.io/v1 and the API server's validation. */

import type { Field } from './field.ts';
import type { Direction, NetworkPolicy, NetworkPolicyRule } from './model.ts';
import { checkType, readNamespacedMetadata } from './parse_metadata.ts';
import { readRule } from './parse_rule.ts';
import { readSelector } from './parse_selector.ts';
import { type Parsed, parseWith } from './parsed.ts';

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
}

function readRules(field: Field, direction: Direction): NetworkPolicyRule[] {
  const rules = field.items().map((item) => {
    if (item.isAbsent) item.invalid('must be a rule; write {} for one that allows everything');
    return item.isAbsent ? undefined : readRule(item, direction);
  });
  return rules.filter((rule) => rule !== undefined);
}

/** Whether a list field holds anything; what is no list is taken to. */
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
  // What was meant cannot be told: both, so that a mistake does not open a direction.
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
  const selectorKnown = specIsObject && errors.length === errorsBefore;
  checkType(object, API_VERSION, 'NetworkPolicy');
  const policy: NetworkPolicy = {
    namespace,
    name,
    podSelector,
    policyTypes: readPolicyTypes(spec.child('policyTypes'), spec.child('egress')),
    ingress: readRules(spec.child('ingress'), 'ingress'),
    egress: readRules(spec.child('egress'), 'egress'),
  };
  return { policy, subjectKnown: selectorKnown && name !== '' };
}

/**
 * Reads a NetworkPolicy, refusing what the API server refuses. Warnings: unknown fields, CIDRs that newer API servers
 * refuse. When refused, `isolating` is the same policy without rules, if its names and podSelector could be read.
 */
export function parseNetworkPolicy(value: unknown): Parsed<NetworkPolicy> {
  const { findings, object } = parseWith(value, readPolicy);
  const { errors, warnings } = findings;
  if (object !== undefined && errors.length === 0) return { ok: true, object: object.policy, warnings };
  if (!object?.subjectKnown) return { ok: false, errors };
  return { ok: false, errors, isolating: { ...object.policy, ingress: [], egress: [] } };
}
