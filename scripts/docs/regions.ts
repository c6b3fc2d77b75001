/** The parts of a page that are made from code: between `<!-- generated:NAME -->` and `<!-- /generated -->`. */

const START = /^<!-- generated:([a-z-]+) -->$/;
const END = '<!-- /generated -->';

/**
 * Puts the text of each region in its place; everything else stays.
 * @param texts by region name, without a newline at the end
 * @throws Error when a region has no text, or no end
 */
export function fillRegions(page: string, texts: ReadonlyMap<string, string>): string {
  const out: string[] = [];
  let open: string | undefined;
  for (const line of page.split('\n')) {
    if (open !== undefined && line !== END) continue;
    out.push(line);
    if (line === END) open = undefined;
    const name = START.exec(line)?.[1];
    if (name === undefined) continue;
    const text = texts.get(name);
    if (text === undefined) throw new Error(`a page has the region '${name}', which nothing makes`);
    open = name;
    out.push(text);
  }
  if (open !== undefined) throw new Error(`the region '${open}' has no '${END}'`);
  return out.join('\n');
}

/** Names of the regions of a page, in order. */
export function regionNames(page: string): readonly string[] {
  return page.split('\n').flatMap((line) => START.exec(line)?.[1] ?? []);
}

/** A table in Markdown. Pipes in cells are escaped. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
