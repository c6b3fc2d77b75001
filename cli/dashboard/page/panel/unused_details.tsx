/** What policies allow, and nobody used. */
import type { AllowedPair, DashboardFacts } from '../../form.ts';
import { RuleText } from './rule_text.tsx';

/** A section that is open. */
export function UnusedDetails({
  pair,
  facts,
}: {
  readonly pair: AllowedPair;
  readonly facts: DashboardFacts | undefined;
}) {
  const { src, dst, ports, rules } = pair;
  return (
    <details class="flow unused" open>
      <summary>
        <b>{ports}</b>
      </summary>
      <p class="sentence">
        {src.namespace}/{src.workload} may connect to {dst.namespace}/{dst.workload}, and has not done so in
        this time.
      </p>
      {rules.length > 0 && (
        <section>
          <h3>{rules.length === 1 ? 'Rule' : 'Rules'}</h3>
          {rules.map((rule) => (
            <RuleText key={JSON.stringify(rule)} rule={rule} facts={facts} />
          ))}
        </section>
      )}
    </details>
  );
}
