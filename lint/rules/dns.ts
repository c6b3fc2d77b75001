/** The name server as the cluster has it, and who may ask it. */
import {
  blockMatches,
  DNS_PORT,
  DNS_SERVICES,
  type Labels,
  NAMESPACE_NAME_LABEL,
  type Pod,
  type Protocol,
  parseAddress,
  portMatches,
  type ResolvedRule,
} from '../../policy/index.ts';
import { type Model, type Subject, servicesOfSubject } from '../model/index.ts';

/** Where names are asked for. */
export interface Dns {
  /** `kube-system/kube-dns UDP/53`. */
  readonly text: string;
  readonly servers: readonly { readonly pod: Pod; readonly port: number; readonly subject?: Subject }[];
  /** What selects their pods. */
  readonly peers: readonly { readonly namespace: string; readonly labels: Labels }[];
  /** Virtual addresses of its Services, which policies never see. */
  readonly virtual: readonly string[];
  /** It is in the objects; else it is only assumed. */
  readonly isKnown: boolean;
}

const PROTOCOL: Protocol = 'UDP';

/** What pods that serve names listen on: those of OpenShift on 5353 (`dns-default`, port `dns`). */
const SERVER_PORTS: readonly number[] = [DNS_PORT, 5353];

/** A block of one address. */
const ONE_ADDRESS = /(\..*\/32|\/128)$/;

/** CoreDNS as nearly all clusters have it: kubeadm, kops, GKE, EKS, AKS. */
const ASSUMED: Pod = {
  namespace: 'kube-system',
  name: 'coredns-assumed',
  uid: 'kube-system/coredns-assumed',
  labels: { 'k8s-app': 'kube-dns' },
  ips: [],
  hostIPs: [],
  hostNetwork: false,
  phase: 'Running',
  ports: [
    { name: 'dns', port: DNS_PORT, protocol: 'UDP' },
    { name: 'dns-tcp', port: DNS_PORT, protocol: 'TCP' },
  ],
  workload: 'deploy/coredns',
};

/** The Services that clusters are known to use, else all that serve UDP/53; else the assumed one. */
export function dnsOf(model: Model): Dns {
  const serving = model.services.filter(({ service }) =>
    service.ports.some(({ protocol, port }) => protocol === PROTOCOL && port === DNS_PORT),
  );
  const known = serving.filter(({ object }) => DNS_SERVICES.includes(object.key));
  const chosen = known.length > 0 ? known : serving;
  const servers = chosen.flatMap((linted) =>
    model.subjectsIn(linted.service.namespace).all.flatMap((subject) =>
      servicesOfSubject(model, subject).includes(linted)
        ? linted.service.ports.flatMap(({ protocol, port, targetPort }) => {
            if (protocol !== PROTOCOL || port !== DNS_PORT) return [];
            const target = subject.pod.ports.find(
              (one) => one.name === targetPort && one.protocol === protocol,
            )?.port;
            const number = target ?? (typeof targetPort === 'number' ? targetPort : undefined);
            return number === undefined ? [] : [{ pod: subject.pod, port: number, subject }];
          })
        : [],
    ),
  );
  if (servers.length === 0)
    return {
      text: 'kube-dns UDP/53',
      servers: [{ pod: ASSUMED, port: DNS_PORT }],
      peers: [ASSUMED],
      virtual: [],
      isKnown: false,
    };
  const names = [...new Set(chosen.map(({ object }) => object.key))].join(', ');
  const ports = [...new Set(servers.map(({ port }) => `UDP/${port}`))].join(', ');
  return {
    text: `${names} ${ports}`,
    servers,
    peers: chosen.flatMap(({ service: { namespace, selector } }) =>
      selector === undefined ? [] : [{ namespace, labels: selector }],
    ),
    virtual: chosen.flatMap(({ service }) => service.clusterIPs),
    isKnown: true,
  };
}

/** Whether a subject's egress lets it ask for names. */
export function mayAskNames(model: Model, subject: Subject, dns: Dns): boolean {
  return (
    dns.servers.some(({ pod, port, subject: server }) => {
      if (server === subject) return true;
      const { egress } = model.evaluator.evaluate({
        source: { kind: 'pod', pod: subject.pod },
        destination: { kind: 'pod', pod },
        protocol: PROTOCOL,
        port,
      });
      return egress.verdict === 'allow';
    }) || model.rulesOf(subject, 'egress').some((rule) => mayBeAnotherServer(rule, dns))
  );
}

/** Whether a rule admits a name server that is not known here. */
function mayBeAnotherServer({ ports, peers }: ResolvedRule, { isKnown, virtual, servers }: Dns): boolean {
  const names = ports.some((test) =>
    SERVER_PORTS.some((port) => portMatches(test, 'egress', PROTOCOL, port, ASSUMED.ports)),
  );
  if (!names && ports.length > 0) return false;
  return peers.some((peer) => {
    if (peer.kind === 'ipBlock') {
      const isOutside = !virtual.some((address) => blockMatches(peer, parseAddress(address)));
      // A pod of a template may get any address of a block, but that of the Service is no pod's.
      return isOutside || (servers.some(({ pod }) => pod.ips.length === 0) && !ONE_ADDRESS.test(peer.cidr));
    }
    if (isKnown) return false;
    // Its namespace may have labels that are not known.
    const { matchLabels = {}, matchExpressions = [] } = peer.namespaceSelector ?? {};
    const keys = [...Object.keys(matchLabels), ...matchExpressions.map(({ key }) => key)];
    return names || keys.some((key) => key !== NAMESPACE_NAME_LABEL);
  });
}
