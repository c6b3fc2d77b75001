/** Kubernetes objects: read, validated, and trimmed to what policy needs. Every fault is reported by its field. */

export { Field, type FieldError } from './field.ts';
export { parseEndpointSlice, SERVICE_NAME_LABEL } from './parse_endpoint_slice.ts';
export { DEFAULT_NAMESPACE } from './parse_metadata.ts';
export { parseNamespace } from './parse_namespace.ts';
export { parseNetworkPolicy } from './parse_network_policy.ts';
export { parseNode } from './parse_node.ts';
export { parsePod } from './parse_pod.ts';
export { parseService } from './parse_service.ts';
export { type Parsed, parseObject } from './parsed.ts';
export { policyEntries } from './policy_entries.ts';
export { DEFAULT_POLICY_LIMITS, noRoom, type PolicyLimits, tooMuch } from './policy_limits.ts';
export { dnsLabelProblems } from './syntax.ts';
export { withoutRules } from './without_rules.ts';
