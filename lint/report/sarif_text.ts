/** What SARIF wants of addresses, messages and places in a text. Source: its sections 3.4, 3.11 and 3.30. */
import { isAbsolute, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * A file as a URI reference (RFC 3986): what is named by an absolute path has a scheme, all else has none, also
 * `main:k8s/web.yaml` of a git revision.
 */
export function uriOf(file: string): string {
  if (isAbsolute(file)) return pathToFileURL(file).href;
  return file
    .split(sep)
    .map((name) => encodeURIComponent(name.toWellFormed()))
    .join('/');
}

/** A text that is shown as it is: braces are doubled, or a number in them is a placeholder, and `[this](1)` is no link. */
export function literal(text: string): string {
  return text.replaceAll('{', '{{').replaceAll('}', '}}').replaceAll('](', '\\](');
}

/** Finds offsets in a text, in UTF-16 units; lines and columns count from 1. */
export function createLinePlaces(text: string): (offset: number) => { line: number; column: number } {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}
