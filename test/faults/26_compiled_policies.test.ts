/**
 * Case 26: selectorless `ipBlock`, `except`, overlapping blocks, empty and absent selectors, named ports and `endPort`, as
 * compiled, are equal to an independent oracle on a million random cases. A case is one flow of a random cluster, judged
 * at one of its ends. The oracle (test/unit/policy/obvious.ts) reads the objects as written and shares no code.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  createCompiler,
  createJudge,
  isSubject,
  type Judge,
  type Protocol,
  readTable,
  tableJson,
} from '../../policy/index.ts';
import { type ApiCluster, type ApiPolicy, type ApiSelector, readCluster } from '../builders/api_objects.ts';
import { apiCluster } from '../builders/random_cluster.ts';
import { Random, SEEDS } from '../fuzz/random.ts';
import { type ObviousFlow, obviousOwner, obviousVerdict } from '../unit/policy/obvious.ts';
import { probePool, randomProbe } from '../unit/policy/probes.ts';

const CASES = 1_000_000;
const FLOWS_OF_CLUSTER = 300;
/** Clusters made at once. */
const BATCH = 100;
/** It takes half a minute; a machine with other work to do takes longer. */
const TIMEOUT_MS = 300_000;

/** The forms that the case names. */
const FORMS: Readonly<Record<string, (policy: ApiPolicy) => boolean>> = {
  ipBlock: (policy) => peersOf(policy).some(({ ipBlock }) => ipBlock),
  except: (policy) => peersOf(policy).some(({ ipBlock }) => (ipBlock?.except ?? []).length > 0),
  'overlapping blocks': (policy) => peersOf(policy).filter(({ ipBlock }) => ipBlock).length > 1,
  'an empty podSelector': ({ spec }) => isEmpty(spec.podSelector),
  'no podSelector': ({ spec }) => !spec.podSelector,
  'an empty namespaceSelector': (policy) =>
    peersOf(policy).some(({ namespaceSelector }) => isEmpty(namespaceSelector)),
  'no namespaceSelector': (policy) =>
    peersOf(policy).some(({ podSelector, namespaceSelector }) => podSelector && !namespaceSelector),
  'named ports': (policy) => portsOf(policy).some(({ port }) => typeof port === 'string'),
  endPort: (policy) => portsOf(policy).some(({ endPort }) => endPort !== undefined),
};
/** At least so many cases are about a cluster with each form. */
const LEAST_OF_FORM = CASES / 20;

test(`compiled tables agree with the oracle on ${CASES} random cases`, { timeout: TIMEOUT_MS }, () => {
  const seed = Math.floor(Math.random() * SEEDS);
  const seen = new Map<string, number>();
  const verdicts = { allow: 0, deny: 0 };
  let cases = 0;
  for (let batch = 0; cases < CASES; batch += 1) {
    const clusters = fc.sample(apiCluster, { numRuns: BATCH, seed: (seed + batch) | 0 });
    for (const [index, objects] of clusters.entries()) {
      const random = new Random(seed + batch * BATCH + index);
      const made = judgeCases(objects, random, verdicts, `seed ${seed}, batch ${batch}, cluster ${index}`);
      cases += made;
      for (const [form, has] of Object.entries(FORMS)) {
        if (objects.policies?.some(has)) seen.set(form, (seen.get(form) ?? 0) + made);
      }
    }
  }
  process.stdout.write(`seed ${seed}: ${cases} cases, ${JSON.stringify(verdicts)}\n`);
  expect(cases).toBeGreaterThanOrEqual(CASES);
  expect(Object.keys(FORMS).filter((form) => (seen.get(form) ?? 0) < LEAST_OF_FORM)).toEqual([]);
  expect(Math.min(verdicts.allow, verdicts.deny)).toBeGreaterThan(CASES / 10);
});

/** @returns how many cases there were */
function judgeCases(
  objects: ApiCluster,
  random: Random,
  verdicts: { allow: number; deny: number },
  where: string,
): number {
  const pool = probePool(objects);
  const judges = judgesOf(objects);
  let cases = 0;
  for (let i = 0; i < FLOWS_OF_CLUSTER; i += 1) {
    const flow = randomProbe(pool, (count) => random.below(count));
    if (flow === undefined) return cases;
    const ends = endsOf(flow).flatMap((end) => {
      const judge = judges.get(end.subject);
      return judge === undefined ? [] : [{ ...end, judge }];
    });
    if (ends.length === 0) continue;
    const obvious = obviousVerdict(objects, flow);
    for (const { direction, peer, judge } of ends) {
      const { verdict } = judge.judge(direction, peer, flow.protocol as Protocol, flow.port);
      cases += 1;
      verdicts[verdict] += 1;
      if ((verdict === 'allow') === obvious[direction]) continue;
      expect.fail(
        `${where}: the table says ${verdict} at ${direction} of ${JSON.stringify(flow)}, the oracle the opposite; ${JSON.stringify(objects)}`,
      );
    }
  }
  return cases;
}

function endsOf({ source, destination }: ObviousFlow) {
  return [
    { direction: 'egress', subject: source, peer: destination },
    { direction: 'ingress', subject: destination, peer: source },
  ] as const;
}

/** By address of the pod that has it, made from tables that went over the wire. */
function judgesOf(objects: ApiCluster): ReadonlyMap<string, Judge> {
  const cluster = readCluster(objects);
  const compiler = createCompiler(cluster);
  const judges = new Map<string, Judge>();
  for (const [key, pod] of cluster.pods) {
    if (!isSubject(pod)) continue;
    const judge = createJudge(readTable(JSON.parse(JSON.stringify(tableJson(compiler.compile(key, 1))))));
    for (const address of pod.ips) {
      const owner = obviousOwner(objects, address);
      if (owner && `${owner.metadata.namespace}/${owner.metadata.name}` === key) judges.set(address, judge);
    }
  }
  return judges;
}

function peersOf({ spec }: ApiPolicy) {
  return [...(spec.ingress ?? []), ...(spec.egress ?? [])].flatMap(({ from, to }) => [
    ...(from ?? []),
    ...(to ?? []),
  ]);
}

function portsOf({ spec }: ApiPolicy) {
  return [...(spec.ingress ?? []), ...(spec.egress ?? [])].flatMap(({ ports }) => ports ?? []);
}

function isEmpty(selector: ApiSelector | null | undefined): boolean {
  if (!selector) return false;
  return Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0;
}
