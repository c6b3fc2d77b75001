/** One kind of flows: what happened, by which rule, what came near, and how often. */
import type { ComponentChildren } from 'preact';
import type { ObservedFlow } from '../../../../flows/index.ts';
import type { DashboardFacts } from '../../form.ts';
import {
  agoText,
  bytesText,
  canCommand,
  countText,
  exactCount,
  portText,
  sentenceOf,
} from '../model/index.ts';
import { CopiedCommand } from './copied_command.tsx';
import { RuleText } from './rule_text.tsx';

const REPORTERS: Readonly<Record<ObservedFlow['reported_by'], string>> = {
  both: 'both ends',
  source: 'the source only',
  destination: 'the destination only',
};

/** A section that opens. */
export function FlowDetails({
  flow,
  isOpen,
  facts,
  nowMs,
}: {
  readonly flow: ObservedFlow;
  readonly isOpen: boolean;
  readonly facts: DashboardFacts | undefined;
  readonly nowMs: number;
}) {
  const { direction, policy, rule, isolating = [], near = [], service } = flow;
  const command = canCommand(flow, facts?.source.flags ?? []);
  const bytes = flow.bytes_sent + flow.bytes_received;
  return (
    <details class={`flow ${flow.outcome}`} open={isOpen}>
      <summary>
        <b>{portText(flow)}</b>
        <span>{countText(flow.flows)}</span>
        <span class="faint">{agoText(flow.last, nowMs)}</span>
      </summary>
      <p class="sentence">{sentenceOf(flow)}</p>
      {near.length > 0 && (
        <section>
          <h3>Nearest {near.length === 1 ? 'rule' : 'rules'}</h3>
          <ol class="near">
            {near.map((one, at) => (
              <li key={`${one.policy} ${one.rule}`}>
                <RuleText
                  rule={{ policy: one.policy, direction, index: one.rule }}
                  facts={at === 0 ? facts : undefined}
                  lacks={one.lacks}
                />
              </li>
            ))}
          </ol>
        </section>
      )}
      {policy !== undefined && rule !== undefined && (
        <section>
          <h3>Rule</h3>
          <RuleText rule={{ policy, direction, index: rule }} facts={facts} />
        </section>
      )}
      {command !== undefined && <CopiedCommand command={command} />}
      <dl>
        <Fact name="decided at">{direction}</Fact>
        {policy !== undefined && rule === undefined && <Fact name="policy">{policy}</Fact>}
        {isolating.length > 0 && <Fact name="isolated by">{isolating.join(', ')}</Fact>}
        <Fact name="reason">{flow.reason}</Fact>
        {service !== undefined && <Fact name="asked for">Service {service}</Fact>}
        <Fact name="flows">{exactCount(flow.flows)}</Fact>
        {flow.packets > 0 && <Fact name="packets dropped">{exactCount(flow.packets)}</Fact>}
        {bytes > 0 && (
          <Fact name="bytes">
            {bytesText(flow.bytes_sent)} sent, {bytesText(flow.bytes_received)} received
          </Fact>
        )}
        <Fact name="first, last">
          <time dateTime={flow.first}>{timeText(flow.first)}</time> –{' '}
          <time dateTime={flow.last}>{timeText(flow.last)}</time>
        </Fact>
        <Fact name="reported by">{REPORTERS[flow.reported_by]}</Fact>
      </dl>
    </details>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

/** In the user's own time. */
function timeText(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  const clock = date.toLocaleTimeString('en-GB');
  return Date.now() - date.getTime() < 72_000_000 ? clock : `${date.toLocaleDateString('en-CA')} ${clock}`;
}
