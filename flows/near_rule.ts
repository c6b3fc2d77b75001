/** A rule that came near to admitting what was denied. */
import { integer, list, part, type Shape, text } from '../common/shape.ts';

/** A rule that came near to admitting what was denied, and what failed. */
export interface NearRule {
  /** `namespace/name`. */
  readonly policy: string;
  /** Its index in the policy's `spec.ingress` or `spec.egress`. */
  readonly rule: number;
  /** `label app=checkout wanted, peer has app=chekout`, each for one failed test. */
  readonly lacks: readonly string[];
}

/** Its form. */
export const nearRule: Shape<NearRule> = part({
  policy: text(),
  rule: integer(0, Number.MAX_SAFE_INTEGER),
  lacks: list(text()),
});
