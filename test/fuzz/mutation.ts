/** Makes valid data wrong: as JSON values, and as the bytes of a text. */
import type { Random } from './random.ts';

/** Values that careless readers fall over, wherever they stand. */
const ODD_VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  2 ** 53,
  '',
  [],
  {},
  [null],
  [[]],
  '__proto__',
  'constructor',
  JSON.parse('{"__proto__":{"x":1}}'),
  'x'.repeat(300),
  '\u0000',
  '\ud800',
];

/** Pieces that mean something to some parser. */
const ODD_PIECES = [' ', '\n', '.', ':', '0', 'A', '/', '"', '\\', '}', '{', ',', '\u0000', 'é'];

/** Longest piece of a text that is copied elsewhere in it, bytes. */
const MAX_COPY_BYTES = 30;

/** What a mutation may put in place beside the general oddities: values and keys of the format at hand. */
export interface Oddities {
  readonly values?: readonly unknown[];
  readonly keys?: readonly string[];
}

/** A copy of a JSON value with one thing wrong, somewhere. */
export function mutated(random: Random, value: unknown, oddities: Oddities = {}): unknown {
  const odd = () => random.pick([...ODD_VALUES, ...(oddities.values ?? [])]);
  if (random.chance(15)) return odd();
  if (Array.isArray(value)) return mutatedList(random, value, odd, oddities);
  if (typeof value === 'object' && value !== null) return mutatedObject(random, value, odd, oddities);
  if (typeof value === 'number')
    return random.pick([value + 1, value - 1, -value, value * 1000, value + 0.5, String(value)]);
  if (typeof value === 'string') {
    const at = random.below(value.length + 1);
    const piece = random.pick(ODD_PIECES);
    return random.pick([
      value.slice(0, at) + piece + value.slice(at),
      value.slice(at),
      value.toUpperCase(),
      odd(),
    ]);
  }
  return odd();
}

function mutatedList(
  random: Random,
  value: readonly unknown[],
  odd: () => unknown,
  oddities: Oddities,
): unknown {
  const list: unknown[] = [...value];
  const at = random.below(list.length);
  if (list.length > 0 && random.chance(70)) {
    list[at] = mutated(random, list[at], oddities);
    return list;
  }
  switch (random.below(4)) {
    case 0:
      list.push(list.length === 0 ? odd() : list[at]);
      return list;
    case 1:
      list.splice(at, 1);
      return list;
    case 2:
      return list.reverse();
    default:
      list.splice(at, 0, odd());
      return list;
  }
}

function mutatedObject(random: Random, value: object, odd: () => unknown, oddities: Oddities): unknown {
  const entries: [string, unknown][] = Object.entries(value);
  const at = random.below(entries.length);
  const entry = entries[at];
  if (entry !== undefined && random.chance(85)) {
    entries[at] = [entry[0], mutated(random, entry[1], oddities)];
  } else if (entry !== undefined && random.chance(50)) {
    entries.splice(at, 1);
  } else {
    const keys = ['__proto__', 'constructor', 'x', ...(oddities.keys ?? [])];
    entries.push([random.pick(keys), odd()]);
  }
  return Object.fromEntries(entries); // defines each key: `__proto__` is one like any other
}

/** A text with one to four bytes or pieces of it changed, or its end cut off. */
export function mutatedText(random: Random, text: string): string {
  const bytes = Buffer.from(text);
  const changes = 1 + random.below(4);
  for (let change = 0; change < changes; change += 1) {
    const at = random.below(bytes.length);
    switch (random.below(4)) {
      case 0:
        bytes[at] = random.below(256);
        break;
      case 1:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
        break;
      case 2:
        return bytes.toString('utf8', 0, at);
      default:
        bytes.copyWithin(at, random.below(bytes.length), random.below(bytes.length) + MAX_COPY_BYTES);
    }
  }
  return bytes.toString('utf8');
}
