/** The panel at the side: all that is known of what was chosen. */
import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { ObservedFlow } from '../../../../flows/index.ts';
import type { DashboardFacts } from '../../form.ts';
import { type End, endOf, keyOf, type Link, type LinkGraph } from '../model/index.ts';
import type { Selection } from '../selection.ts';
import { EndDetails } from './end_details.tsx';
import { FlowDetails } from './flow_details.tsx';
import { StateChip } from './state_chip.tsx';
import { UnusedDetails } from './unused_details.tsx';

/** Kinds of flows of a link that are listed; a link between namespaces may have thousands. */
const MAX_LISTED = 25;

/** What the panel is given. */
export interface PanelProps {
  readonly selection: Selection;
  readonly graph: LinkGraph;
  readonly flows: readonly ObservedFlow[];
  readonly facts: DashboardFacts | undefined;
  readonly nowMs: number;
  onSelect(selection: Selection): void;
  onClose(): void;
}

/** Shows it. Nothing where what was chosen is gone. */
export function Panel(props: PanelProps) {
  const { selection, graph, flows, onClose } = props;
  const heading = useRef<HTMLHeadingElement>(null);
  // What was chosen is read out; a list stays where it is, so that the next row is one key away.
  useEffect(() => {
    if (selection.kind !== 'flow') heading.current?.focus({ preventScroll: true });
  }, [selection.kind, selection.id]);
  const link = graph.links.find(({ id }) => selection.kind === 'link' && id === selection.id);
  const end = graph.ends.find(({ id }) => selection.kind === 'end' && id === selection.id);
  const flow = selection.kind === 'flow' ? flows.find((one) => keyOf(one) === selection.id) : undefined;
  return (
    <aside class="panel" aria-label="Details">
      <button
        type="button"
        class="close"
        aria-label="Close details (Escape)"
        title="Close (Escape)"
        onClick={onClose}
      >
        ×
      </button>
      {link !== undefined && (
        <>
          <PairHeading refTo={heading} from={link.from} to={link.to}>
            <StateChip state={link.state} count={link.count} />
          </PairHeading>
          <LinkBody link={link} {...props} />
        </>
      )}
      {flow !== undefined && (
        <>
          <PairHeading refTo={heading} from={endOf(flow.src)} to={endOf(flow.dst)}>
            <StateChip state={flow.outcome} count={flow.flows} />
          </PairHeading>
          <FlowDetails flow={flow} isOpen {...props} />
        </>
      )}
      {end !== undefined && (
        <>
          <h2 ref={heading} tabIndex={-1}>
            <bdi>{end.name}</bdi>
          </h2>
          <EndDetails end={end} {...props} />
        </>
      )}
      {link === undefined && flow === undefined && end === undefined && (
        <p class="hint">This is no longer among what is shown.</p>
      )}
    </aside>
  );
}

function PairHeading({
  refTo,
  from,
  to,
  children,
}: {
  readonly refTo: RefObject<HTMLHeadingElement | null>;
  readonly from: End;
  readonly to: End;
  readonly children: ComponentChildren;
}) {
  return (
    <>
      <h2 ref={refTo} tabIndex={-1}>
        <bdi>{from.name}</bdi> <span class="arrow-text">→</span> <bdi>{to.name}</bdi>
      </h2>
      <p>{children}</p>
    </>
  );
}

function LinkBody({ link, ...props }: PanelProps & { readonly link: Link }) {
  const { flows, allowed } = link;
  return (
    <>
      {flows.slice(0, MAX_LISTED).map((flow) => (
        <FlowDetails key={keyOf(flow)} flow={flow} isOpen={flows.length <= 2} {...props} />
      ))}
      {flows.length > MAX_LISTED && (
        <p class="hint">{flows.length - MAX_LISTED} more kinds of flows: filter for them.</p>
      )}
      {allowed.slice(0, MAX_LISTED).map((pair) => (
        <UnusedDetails key={JSON.stringify([pair.src, pair.dst])} pair={pair} facts={props.facts} />
      ))}
      {allowed.length > MAX_LISTED && <p class="hint">{allowed.length - MAX_LISTED} more pairs.</p>}
    </>
  );
}
