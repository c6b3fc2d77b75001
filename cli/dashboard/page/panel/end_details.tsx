/** A workload, or another end: what it talks to, and what talks to it. */
import type { DashboardFacts } from '../../form.ts';
import {
  countText,
  type End,
  type Link,
  type LinkGraph,
  STATE_MARKS,
  STATE_WORDS,
  STATES,
} from '../model/index.ts';
import type { Selection } from '../selection.ts';

/** Links of one list. */
const MAX_LISTED = 50;

/** Two lists of links, and the pods. */
export function EndDetails({
  end,
  graph,
  facts,
  onSelect,
}: {
  readonly end: End;
  readonly graph: LinkGraph;
  readonly facts: DashboardFacts | undefined;
  onSelect(selection: Selection): void;
}) {
  const pods = (facts?.pods ?? []).filter(
    ({ name, workload }) => `${name.split('/')[0]}/${workload}` === end.name,
  );
  const policies = [...new Set(pods.flatMap((pod) => pod.policies))];
  return (
    <>
      {pods.length > 0 && (
        <p>
          {pods.length} {pods.length === 1 ? 'pod' : 'pods'}
          {policies.length === 0 ? ', isolated by no policy' : `, isolated by ${policies.join(', ')}`}
        </p>
      )}
      <Links
        title="Talks to"
        links={graph.links.filter(({ from }) => from.id === end.id)}
        endOf={({ to }) => to}
        onSelect={onSelect}
      />
      <Links
        title="Is talked to by"
        links={graph.links.filter(({ to }) => to.id === end.id)}
        endOf={({ from }) => from}
        onSelect={onSelect}
      />
    </>
  );
}

function Links({
  title,
  links,
  endOf,
  onSelect,
}: {
  readonly title: string;
  readonly links: readonly Link[];
  endOf(link: Link): End;
  onSelect(selection: Selection): void;
}) {
  const sorted = links.toSorted(
    (a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || b.count - a.count,
  );
  return (
    <section>
      <h3>
        {title} <span class="faint">{links.length}</span>
      </h3>
      <ul class="links">
        {sorted.slice(0, MAX_LISTED).map((link) => (
          <li key={link.id}>
            <button
              type="button"
              class={`row ${link.state}`}
              onClick={() => onSelect({ kind: 'link', id: link.id })}
            >
              <bdi>{endOf(link).name}</bdi>
              <span class={`count ${link.state}`} title={STATE_WORDS[link.state]}>
                {STATE_MARKS[link.state]} {link.count === 0 ? 'not used' : countText(link.count)}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {links.length > MAX_LISTED && <p class="hint">{links.length - MAX_LISTED} more: filter for them.</p>}
    </section>
  );
}
