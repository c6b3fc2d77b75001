/**
 * What unquoted words of YAML mean to kubectl, which reads YAML 1.1 as its library has it: `yes` and `off` are booleans,
 * `0120` is 80, `1_000` is 1000, and dates and `1:30` are texts. Source: gopkg.in/yaml.v2 `resolve.go`.
 */
import type { ScalarTag } from 'yaml';

const INTEGER = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;

/** A number, or the text itself where it is none. */
function readNumber(text: string): number | string {
  // Underscores between digits mean nothing, except after a leading dot.
  const plain = text.startsWith('.') ? text : text.replaceAll('_', '');
  const [, sign, hex, binary, octal, decimal] = INTEGER.exec(plain) ?? [];
  const digits = [
    [hex, 16],
    [binary, 2],
    [octal, 8],
    [decimal, 10],
  ] as const;
  for (const [found, radix] of digits)
    if (found !== undefined) return Number.parseInt(found, radix) * (sign === '-' ? -1 : 1) || 0;
  const float = FLOAT.test(plain) ? Number(plain) || 0 : Number.NaN;
  return Number.isFinite(float) ? float : text;
}

/** The tags of plain scalars that are not texts, for the library's schema `failsafe`. */
export const KUBECTL_TAGS: readonly ScalarTag[] = [
  {
    tag: 'tag:yaml.org,2002:null',
    default: true,
    test: /^(?:|~|null|Null|NULL)$/,
    resolve: () => null,
  },
  {
    tag: 'tag:yaml.org,2002:bool',
    default: true,
    test: /^(?:[yY]|[yY]es|YES|[tT]rue|TRUE|[oO]n|ON|[nN]|[nN]o|NO|[fF]alse|FALSE|[oO]ff|OFF)$/,
    resolve: (text) => /^(?:y|t|on)/i.test(text),
  },
  ...['tag:yaml.org,2002:int', 'tag:yaml.org,2002:float'].map((tag) => ({
    tag,
    default: true,
    test: /^(?:[-+]?\.?[0-9])/,
    resolve: readNumber,
  })),
  {
    // JSON has no such number: `plainValue` refuses it, as kubectl does.
    tag: 'tag:yaml.org,2002:float',
    default: true,
    test: /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/,
    resolve: () => Number.NaN,
  },
];
