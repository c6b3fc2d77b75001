/** NP013. */
import { parseNetworkPolicy } from '../../policy/index.ts';
import { fieldText } from '../finding.ts';
import { nameOf } from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { pathOf, policyErrors } from './faults.ts';
import { isExceptFault } from './np017_except.ts';

/** What the API refuses. */
export const np013: Rule = {
  code: 'NP013',
  severity: 'error',
  title: 'invalid by the API',
  explanation: `The API server refuses the policy, or refused it in a newer version. Until it is corrected the old policy stays in force, or there
is none. Where Sluice reads such a policy from files, it isolates what it selects, and the faulty rules admit nothing.

The message has the field and what is wrong, in the words of the API server. It is a warning where only newer API servers refuse it.`,
  remedy: 'Correct the field.',
  *check(model) {
    for (const { object, path, message } of policyErrors(model)) {
      if (isExceptFault(path)) continue;
      const field = path.length === 0 ? '' : `${fieldText(path)}: `;
      yield { object, path, message: `${object.key === '' ? 'policy' : object.key}: ${field}${message}` };
    }
    for (const linted of model.policies) {
      const parsed = parseNetworkPolicy(linted.raw);
      for (const warning of parsed.ok ? parsed.warnings : []) {
        const [, field = '', message] = /^(spec\.\S+): (.*)$/s.exec(warning) ?? [];
        if (message === undefined) continue;
        const path = pathOf(field);
        yield {
          object: linted.object,
          path,
          severity: 'warning',
          message: `${nameOf(linted)}: ${field}: ${message}`,
        };
      }
    }
  },
};
