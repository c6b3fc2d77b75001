/** A rule as it is written. */
import type { DashboardFacts } from '../../form.ts';

/** What names a rule. */
export interface RuleName {
  readonly policy: string;
  readonly direction: 'ingress' | 'egress';
  readonly index: number;
}

/** Its name and, where the manifests have it, its YAML. */
export function RuleText({
  rule,
  facts,
  lacks = [],
}: {
  readonly rule: RuleName;
  /** What failed, of a rule that came near. */
  readonly lacks?: readonly string[];
  readonly facts: DashboardFacts | undefined;
}) {
  const { policy, direction, index } = rule;
  const found = facts?.policies
    .find(({ name }) => name === policy)
    ?.rules.find((one) => one.direction === direction && one.index === index);
  return (
    <>
      <code class="rule">
        {policy} {direction}[{index}]
      </code>
      {lacks.map((lack) => (
        <p class="lack" key={lack}>
          {lack}
        </p>
      ))}
      {found !== undefined && <pre class="yaml">{found.yaml}</pre>}
    </>
  );
}
