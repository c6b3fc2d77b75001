/** Finds a `switch` that does nothing where no case fits. */

/** A `switch` as the formatter writes it; its end is the first `}` at the same depth. */
const SWITCH = /^(?<indent> *)(?:.* )?switch \(.*\) \{$/;

/** The lines, from 1, at which a `switch` without `default` begins. */
export function openSwitches(text: string): readonly number[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const indent = SWITCH.exec(line)?.groups?.indent;
    if (indent === undefined) return [];
    const end = lines.findIndex((other, at) => at > index && other.startsWith(`${indent}}`));
    const hasDefault = lines.slice(index, end).some((inner) => inner.startsWith(`${indent}  default:`));
    return hasDefault ? [] : [index + 1];
  });
}
