/** Circles in a graph. */

/** One circle for each knot of nodes that reach each other, as a way that comes back to its beginning. */
export function circles(
  edges: Iterable<readonly [from: string, to: string]>,
): readonly (readonly string[])[] {
  const next = new Map<string, Set<string>>();
  for (const [from, to] of edges) {
    if (from === to) continue;
    next.set(from, (next.get(from) ?? new Set()).add(to));
  }
  const found: (readonly string[])[] = [];
  const done = new Set<string>();
  for (const start of next.keys()) {
    if (done.has(start)) continue;
    const way = wayBack(start, next);
    if (way === undefined) continue;
    found.push(way);
    for (const node of way) done.add(node);
  }
  return found;
}

/** The shortest way from a node back to itself. */
function wayBack(
  start: string,
  next: ReadonlyMap<string, ReadonlySet<string>>,
): readonly string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const node of queue) {
    for (const other of next.get(node) ?? []) {
      if (other === start) {
        const way = [start];
        for (let at: string | undefined = node; at !== undefined; at = cameFrom.get(at)) way.unshift(at);
        return way[0] === start ? way : [start, ...way];
      }
      if (cameFrom.has(other)) continue;
      cameFrom.set(other, node);
      queue.push(other);
    }
  }
  return undefined;
}
