/** What lint finds about some policies: what is too wide, and what does not do what it says. */
import {
  type Finding,
  findingJson,
  findingsIn,
  type LintedPolicy,
  type Model,
  RULES,
  suppress,
} from '../../lint/index.ts';
import { type Listed, listed } from '../listed.ts';
import type { FindingData } from './description.ts';

/**
 * Rules that look at one policy at a time, so that they cost no more than the policies that are described. DNS is told apart from
 * them, and what only `sluice lint` sees are pairs of workloads and of policies.
 */
const CODES: ReadonlySet<string> = new Set([
  ...['NP001', 'NP002', 'NP003', 'NP004', 'NP005', 'NP006', 'NP007', 'NP013', 'NP014', 'NP015'],
  ...['NP016', 'NP017', 'NP018', 'NP019', 'NP020', 'NP022', 'NP024'],
]);

/** Findings that the data has: those of more policies are for `sluice lint`. */
const MAX_FINDINGS = 50;

const BY_SEVERITY = { error: 0, warning: 1, info: 2 } as const;

/** The worst first, in the order of the text otherwise. Those that are suppressed are left out. */
export function findingsAbout(
  model: Model,
  policies: readonly LintedPolicy[],
  isAsked: (finding: Finding) => boolean = () => true,
): Listed<FindingData> {
  const rules = RULES.filter(({ code }) => CODES.has(code));
  const { findings } = suppress(findingsIn({ ...model, policies }, rules), model.manifests.files);
  const asked = findings.filter(isAsked).sort((a, b) => BY_SEVERITY[a.severity] - BY_SEVERITY[b.severity]);
  const { count, first } = listed(asked, MAX_FINDINGS);
  return { count, first: first.map(findingJson) };
}
