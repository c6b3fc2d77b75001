/** NP014. */
import { parseNetworkPolicy } from '../../policy/index.ts';
import type { FieldPath } from '../../sources/index.ts';
import { didYouMean, nameOf, nearest } from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { pathOf } from './faults.ts';

/** Fields of policies, by where they belong. Source: networking.k8s.io/v1. */
const FIELDS: readonly (readonly [belongs: RegExp, names: readonly string[]])[] = [
  [/^$/, ['apiVersion', 'kind', 'metadata', 'spec']],
  [/^spec$/, ['podSelector', 'policyTypes', 'ingress', 'egress']],
  [/^spec\.ingress\.\d+$/, ['from', 'ports']],
  [/^spec\.egress\.\d+$/, ['to', 'ports']],
  [/\.(from|to)\.\d+$/, ['podSelector', 'namespaceSelector', 'ipBlock']],
  [/\.ports\.\d+$/, ['protocol', 'port', 'endPort']],
  [/\.ipBlock$/, ['cidr', 'except']],
  [/Selector$/, ['matchLabels', 'matchExpressions']],
  [/\.matchExpressions\.\d+$/, ['key', 'operator', 'values']],
];

/** `from` at egress and `to` at ingress: the other one is meant. */
const OTHER_DIRECTION: Readonly<Record<string, string>> = { from: 'to', to: 'from' };

/** A field that the API does not know. */
export const np014: Rule = {
  code: 'NP014',
  severity: 'warning',
  title: 'unknown field: it has no effect',
  explanation: `The API does not know the field. kubectl refuses it by default; older clients, and tools that apply with validation off, drop it
without a word. What it was to say is then not said: a rule whose from is misspelt admits everybody.`,
  remedy: 'Correct the name, or the indentation.',
  *check(model) {
    for (const linted of model.policies) {
      const parsed = parseNetworkPolicy(linted.raw);
      for (const warning of parsed.ok ? parsed.warnings : []) {
        const [, field] = /^unknown field "(.+)"/.exec(warning) ?? [];
        if (field === undefined) continue;
        const path = pathOf(field);
        const name = String(path.at(-1));
        const near = meant(path);
        const belongs = near.length > 0 ? undefined : placeOf(name);
        const [only] = near;
        yield {
          object: linted.object,
          path,
          message: `${nameOf(linted)}: unknown field ${field}, without effect${
            belongs === undefined ? didYouMean(near) : `; ${name} belongs in ${belongs}`
          }`,
          ...(only === undefined
            ? {}
            : {
                fix: {
                  text: `${only}:`,
                  ...(near.length === 1 ? { edits: [{ kind: 'rename', path, key: only }] } : {}),
                },
              }),
        };
      }
    }
  },
};

function meant(path: FieldPath): readonly string[] {
  const parent = path.slice(0, -1).join('.');
  const name = String(path.at(-1));
  const names = FIELDS.find(([belongs]) => belongs.test(parent))?.[1] ?? [];
  const other = OTHER_DIRECTION[name];
  return other !== undefined && names.includes(other) ? [other] : nearest(name, names);
}

/** Where a field of this name belongs, where it is a known one in the wrong place. */
function placeOf(name: string): string | undefined {
  if (['podSelector', 'policyTypes', 'ingress', 'egress'].includes(name)) return 'spec';
  return ['matchLabels', 'matchExpressions'].includes(name) ? 'a selector' : undefined;
}
