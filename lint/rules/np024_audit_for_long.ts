/** NP024. */
import { fieldsOf, isRecord } from '../../common/shape.ts';
import { nameOf } from '../model/index.ts';
import type { Rule } from '../rule.ts';

/** On a policy: whether it is enforced, or only tried. */
const MODE_ANNOTATION = 'sluice.dev/mode';
const AUDIT = 'audit';

/** After so long nobody looks at the audit any more. */
const MAX_AUDIT_DAYS = 30;
const DAY_MS = 86_400_000;

/** A policy that is forgotten in audit. */
export const np024: Rule = {
  code: 'NP024',
  severity: 'warning',
  title: `${MODE_ANNOTATION}: ${AUDIT} for more than ${MAX_AUDIT_DAYS} days`,
  explanation: `The annotation says that the policy is to be tried, not enforced. After ${MAX_AUDIT_DAYS} days it is more likely forgotten than tried.

Since when it is there the API server notes (metadata.managedFields). Where that is not known, as in files, it says nothing.`,
  remedy: `Set ${MODE_ANNOTATION}: enforce, or take the annotation away.`,
  *check(model) {
    for (const linted of model.policies) {
      if (linted.object.annotations[MODE_ANNOTATION] !== AUDIT) continue;
      const since = annotatedAtMs(linted.raw.metadata);
      const days = since === undefined ? 0 : Math.floor((model.now - since) / DAY_MS);
      if (days <= MAX_AUDIT_DAYS) continue;
      yield {
        object: linted.object,
        path: ['metadata', 'annotations', MODE_ANNOTATION],
        message: `${nameOf(linted)}: in audit for ${days} days`,
        fix: { text: `${MODE_ANNOTATION}: enforce` },
      };
    }
  },
};

/** When the writer that has the annotation last wrote; undefined where nobody says. */
function annotatedAtMs(metadata: unknown): number | undefined {
  const { managedFields } = fieldsOf(metadata);
  const entries = Array.isArray(managedFields) ? managedFields.filter(isRecord) : [];
  const times = entries.flatMap(({ fieldsV1, time }) => {
    const fields = fieldsOf(fieldsOf(fieldsOf(fieldsV1)['f:metadata'])['f:annotations']);
    return Object.hasOwn(fields, `f:${MODE_ANNOTATION}`) ? [Date.parse(String(time))] : [];
  });
  const latest = Math.max(...times);
  return Number.isFinite(latest) ? latest : undefined;
}
