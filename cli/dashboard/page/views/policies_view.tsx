/** Policies: how far they are in force, and which of their rules are used. */
import { useMemo } from 'preact/hooks';
import type { ObservedFlow } from '../../../../flows/index.ts';
import type { DashboardFacts, PolicyFacts } from '../../form.ts';
import { agoText, countText, exactCount, type RuleUse, ruleUse } from '../model/index.ts';

/** A policy with more pods than enforce it comes first, then those by name. */
export function PoliciesView({
  policies,
  flows,
  facts,
  nowMs,
}: {
  readonly policies: readonly PolicyFacts[];
  readonly flows: readonly ObservedFlow[];
  readonly facts: DashboardFacts | undefined;
  readonly nowMs: number;
}) {
  const useOf = useMemo(() => ruleUse(flows), [flows]);
  if (policies.length === 0) return <p class="empty">{facts?.notes[0] ?? 'There are no policies here.'}</p>;
  return (
    <div class="list">
      <div class="policy-heads" aria-hidden="true">
        <span>Policy</span>
        <span>In force</span>
        <span>Isolates</span>
        <span class="number">Hits</span>
        <span>Rules</span>
      </div>
      {policies.map((policy) => (
        <Policy key={policy.name} policy={policy} useOf={useOf} nowMs={nowMs} />
      ))}
    </div>
  );
}

function Policy({
  policy,
  useOf,
  nowMs,
}: {
  readonly policy: PolicyFacts;
  readonly useOf: ReturnType<typeof ruleUse>;
  readonly nowMs: number;
}) {
  const { name, selector, isolates, workloads, pods, rules, moreRules } = policy;
  const uses = rules.map((rule) => ({ rule, use: useOf(name, rule.direction, rule.index) }));
  const hits = uses.reduce((sum, { use }) => sum + use.hits, 0);
  const nearest = uses.reduce((sum, { use }) => sum + use.nearest, 0);
  return (
    <details class="policy">
      <summary>
        <b>
          <bdi>{name}</bdi>
        </b>
        <State policy={policy} />
        <span class="faint">
          {isolates.join(' and ')} of {numberOf(workloads, 'workload')}
          {pods > 0 && `, ${numberOf(pods, 'pod')}`}
        </span>
        <span class="number">{hits === 0 ? '' : countText(hits)}</span>
        <span>
          <RulesUse uses={uses.map(({ use }) => use)} />
          {nearest > 0 && <span class="deny-text"> · nearest of {countText(nearest)} denials</span>}
        </span>
      </summary>
      <p class="faint">selects {selector === '*' ? 'all pods of the namespace' : <code>{selector}</code>}</p>
      {uses.map(({ rule, use }) => (
        <div class="rule-row" key={`${rule.direction} ${rule.index}`}>
          <div>
            <code class="rule">
              {rule.direction}[{rule.index}]
            </code>
            <Use use={use} nowMs={nowMs} />
          </div>
          <pre class="yaml">{rule.yaml}</pre>
        </div>
      ))}
      {moreRules > 0 && <p class="hint">{moreRules} more rules.</p>}
    </details>
  );
}

function RulesUse({ uses }: { readonly uses: readonly RuleUse[] }) {
  const unused = uses.filter(({ hits }) => hits === 0).length;
  if (uses.length === 0) return <span class="faint">no rules: denies all</span>;
  if (unused === 0)
    return <span class="faint">{uses.length === 1 ? 'used' : `all ${uses.length} used`}</span>;
  return <span class="warn">{uses.length === 1 ? 'not used' : `${unused} of ${uses.length} not used`}</span>;
}

function numberOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function State({ policy: { pods, enforcing } }: { readonly policy: PolicyFacts }) {
  if (enforcing === undefined) return <span class="faint">not known</span>;
  if (pods === 0) return <span class="chip unknown">selects no pod</span>;
  return enforcing === pods ? (
    <span class="chip good">✓ in force</span>
  ) : (
    <span class="chip warn">
      ! {enforcing} of {pods} pods
    </span>
  );
}

function Use({ use: { hits, nearest, last }, nowMs }: { readonly use: RuleUse; readonly nowMs: number }) {
  return (
    <p>
      {hits === 0 ? (
        <span class="warn">not used</span>
      ) : (
        `${exactCount(hits)} hits, last ${agoText(last, nowMs)}`
      )}
      {nearest > 0 && <span class="deny-text"> · nearest of {exactCount(nearest)} denials</span>}
    </p>
  );
}
