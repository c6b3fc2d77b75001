/** What the API server itself fills in when an object is created. */
import { type ApiObject, isRecord, type Json } from './api_object.ts';

/** The object with defaults; those only that something here depends on. */
export function withDefaults(object: ApiObject): ApiObject {
  switch (object.kind) {
    case 'Namespace':
      return {
        ...object,
        metadata: {
          ...object.metadata,
          labels: { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name },
        },
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      };
    case 'NetworkPolicy':
      return { ...object, spec: policySpec(object.spec) };
    case 'Pod':
      return {
        ...object,
        spec: {
          restartPolicy: 'Always',
          serviceAccountName: 'default',
          ...record(object.spec),
        },
        status: { phase: 'Pending' },
      };
    default:
      return object;
  }
}

function policySpec(value: unknown): Json {
  const spec = record(value);
  // NetworkPolicySpec.policyTypes: Ingress always, Egress with at least one egress rule.
  const { egress } = spec;
  const types = Array.isArray(egress) && egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
  const rules = (name: string): Json =>
    Array.isArray(spec[name]) ? { [name]: (spec[name] as readonly unknown[]).map(ruleWithProtocols) } : {};
  return { podSelector: {}, policyTypes: types, ...spec, ...rules('ingress'), ...rules('egress') };
}

function ruleWithProtocols(value: unknown): Json {
  const rule = record(value);
  if (!Array.isArray(rule.ports)) return rule;
  return { ...rule, ports: rule.ports.map((port: unknown) => ({ protocol: 'TCP', ...record(port) })) };
}

function record(value: unknown): Json {
  return isRecord(value) ? value : {};
}
