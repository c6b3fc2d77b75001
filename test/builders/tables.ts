/** Tables of the pod shop/api for sidecar tests. */
import { TABLE_SCHEMA, type Table } from '../../policy/index.ts';

/** @param spec `allowed`: addresses that one policy admits; absent: the pod is not isolated */
export function table(spec: { revision: number; allowed?: readonly string[]; name?: string }): Table {
  const policy = { namespace: 'shop', name: 'allow' };
  const peers = (spec.allowed ?? []).map((address) => ({
    kind: 'ipBlock' as const,
    cidr: `${address}/32`,
    except: [],
  }));
  return {
    schema: TABLE_SCHEMA,
    revision: spec.revision,
    subject: {
      namespace: 'shop',
      name: spec.name ?? 'api',
      uid: 'uid-api',
      ips: ['10.0.0.100'],
      nodeIPs: ['10.0.1.1'],
      ports: [],
    },
    ingress: {
      direction: 'ingress',
      isolating: spec.allowed === undefined ? [] : [policy],
      rules: peers.length === 0 ? [] : [{ policy, index: 0, ports: [], peers }],
    },
    egress: { direction: 'egress', isolating: [], rules: [] },
    groups: {},
    pods: {},
    namespaces: {},
    services: {},
  };
}
