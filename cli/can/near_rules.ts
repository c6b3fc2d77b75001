/** The rules that came near to admitting what is denied: where they stand, why they fail, and how they would admit it. */
import { unreachable } from '../../common/errors.ts';
import { fieldsOf, isRecord } from '../../common/shape.ts';
import {
  createEvaluator,
  type Endpoint,
  type FailedTest,
  type Flow,
  isSubject,
  MAX_NEAR,
  matchesSelector,
  objectKey,
  parseNetworkPolicy,
  type RuleMiss,
  type Verdict,
} from '../../policy/index.ts';
import {
  createWorkloads,
  type FieldPath,
  type LoadedObject,
  lastingWorkload,
  type Manifests,
  type Place,
  type Places,
} from '../../sources/index.ts';
import type { Answer } from './answer.ts';
import type { Party } from './endpoint_resolver.ts';
import { mendedRule } from './mended_rule.ts';
import type { Present } from './replaced_value.ts';

/** A rule that came near. */
export interface NearRule {
  readonly miss: RuleMiss;
  /** Of the rule, where the policy comes from a file. */
  readonly place?: Place;
  readonly tests: readonly PlacedTest[];
  /** What in place of the rule would admit the flow; absent where no small change does. */
  readonly fix?: readonly Readonly<Record<string, unknown>>[];
  /** With a fix: the other workloads that the policy selects, by name. It holds for them as well. */
  readonly alsoFor?: readonly string[];
}

/** A test that failed, and where it stands. */
export interface PlacedTest extends FailedTest {
  readonly place?: Place;
}

/** Finds the rules that came near in one set of objects. */
export interface NearRules {
  /** Those of the directions that deny, of the end or the backend that decides. Nothing where a node translates, and of a block. */
  of(answer: Answer): readonly NearRule[];
}

/** What depends on the objects only is worked out once. */
export function createNearRules(manifests: Manifests, places: Places): NearRules {
  const { cluster } = manifests;
  const evaluator = createEvaluator(cluster);
  const policies = new Map(
    manifests.objects.flatMap((object) => (object.kind === 'NetworkPolicy' ? [[object.key, object]] : [])),
  );

  let known: Present | undefined;
  const present = (): Present => {
    const made = () =>
      createWorkloads(cluster, manifests.others)
        .madePods()
        .made.map(({ pod }) => pod);
    known ??= { pods: [...cluster.pods.values(), ...made()], cluster };
    return known;
  };

  /** Whether the flow's direction is allowed once the rule is another one: the engine has the last word. */
  const admits = (
    policy: LoadedObject,
    { direction, rule }: RuleMiss,
    flow: Flow,
    fix: readonly Readonly<Record<string, unknown>>[],
  ): boolean => {
    const spec = fieldsOf(policy.raw.spec);
    const rules = Array.isArray(spec[direction]) ? spec[direction] : [];
    const mended = { ...policy.raw, spec: { ...spec, [direction]: rules.toSpliced(rule, 1, ...fix) } };
    const parsed = parseNetworkPolicy(mended);
    if (!parsed.ok) return false;
    const changed = new Map(cluster.policies).set(policy.key, parsed.object);
    return createEvaluator({ ...cluster, policies: changed }).evaluate(flow)[direction].verdict === 'allow';
  };

  /** The workloads that the policy of a rule selects, but for the one that was asked about. */
  const alsoSelected = (
    { policy: { namespace, name }, direction }: RuleMiss,
    flow: Flow,
  ): readonly string[] => {
    const policy = cluster.policies.get(objectKey(namespace, name));
    const subject = direction === 'ingress' ? flow.destination : flow.source;
    if (policy === undefined || subject.kind !== 'pod') return [];
    const selected = present().pods.filter(
      (pod) =>
        pod.namespace === namespace && isSubject(pod) && matchesSelector(policy.podSelector, pod.labels),
    );
    const others = new Set(selected.map(lastingWorkload));
    others.delete(lastingWorkload(subject.pod));
    return [...others].sort();
  };

  const nearRule = (miss: RuleMiss, flow: Flow): NearRule => {
    const policy = policies.get(objectKey(miss.policy.namespace, miss.policy.name));
    const raw = policy === undefined ? undefined : ruleOf(policy, miss);
    if (policy === undefined || raw === undefined) return { miss, tests: miss.tests };
    const base: FieldPath = ['spec', miss.direction, miss.rule];
    const fix = mendedRule(raw, miss, flow, present());
    return {
      miss,
      ...placed(places.find(policy, base)),
      tests: miss.tests.map((test) => ({
        ...test,
        ...placed(places.find(policy, [...base, ...pathOf(test, miss, raw)])),
      })),
      ...(fix !== undefined && admits(policy, miss, flow, fix)
        ? { fix, alsoFor: alsoSelected(miss, flow) }
        : {}),
    };
  };

  return {
    of(answer) {
      const { source, destination, protocol, port, service, flow: judged } = answer;
      const isTranslated = service?.front !== undefined && service.front.kind !== 'cluster';
      // To one address of a block no rule is meant.
      if (isTranslated || source.ofBlock || destination.ofBlock) return [];
      const flow: Flow = {
        source: source.endpoint,
        destination: destination.endpoint,
        protocol,
        port,
        ...(service === undefined ? {} : { servicePort: service.port }),
      };
      const denied = [judged.egress, judged.ingress].filter(({ verdict }) => verdict === 'deny');
      return denied
        .flatMap(({ direction }) => nearOf(evaluator.evaluate(flow)[direction]))
        .slice(0, MAX_NEAR)
        .map((miss) => nearRule(miss, { ...flow, source: podOf(source), destination: podOf(destination) }));
    },
  };
}

function nearOf(verdict: Verdict): readonly RuleMiss[] {
  return verdict.reason === 'no-rule' ? (verdict.near ?? []) : [];
}

/** A fix names a pod by its labels, also where the question has its address. */
function podOf({ pod, endpoint }: Party): Endpoint {
  return pod === undefined || pod.hostNetwork ? endpoint : { kind: 'pod', pod };
}

function placed(place: Place | undefined): { readonly place?: Place } {
  return place === undefined ? {} : { place };
}

function ruleOf(
  { raw }: LoadedObject,
  { direction, rule }: RuleMiss,
): Readonly<Record<string, unknown>> | undefined {
  const rules = fieldsOf(raw.spec)[direction];
  const found: unknown = Array.isArray(rules) ? rules[rule] : undefined;
  return isRecord(found) ? found : undefined;
}

/** Where a test stands in its rule. */
function pathOf(
  { failed, key }: FailedTest,
  { direction, peer }: RuleMiss,
  raw: Readonly<Record<string, unknown>>,
): FieldPath {
  const peers = direction === 'ingress' ? 'from' : 'to';
  switch (failed) {
    case 'port':
    case 'protocol': {
      const { ports } = raw;
      return Array.isArray(ports) && ports.length === 1 ? ['ports', 0, failed] : ['ports'];
    }
    case 'ipBlock':
      return [peers, peer ?? 0, 'ipBlock', 'cidr'];
    case 'namespace':
    case 'pod': {
      const selector = failed === 'pod' ? 'podSelector' : 'namespaceSelector';
      const path = [peers, peer ?? 0, selector];
      if (key === undefined) return path;
      const found: unknown = Array.isArray(raw[peers]) ? raw[peers][peer ?? 0] : undefined;
      const { matchLabels, matchExpressions } = fieldsOf(fieldsOf(found)[selector]);
      if (Object.hasOwn(fieldsOf(matchLabels), key)) return [...path, 'matchLabels', key];
      const at = Array.isArray(matchExpressions)
        ? matchExpressions.findIndex((expression) => fieldsOf(expression).key === key)
        : -1;
      return at === -1 ? path : [...path, 'matchExpressions', at];
    }
    default:
      return unreachable(failed);
  }
}
