/** YAML on one line, for the fixes of findings. */
import { stringify } from 'yaml';

/** `{matchLabels: {app: web}}`. */
export function flowYaml(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trimEnd();
}
