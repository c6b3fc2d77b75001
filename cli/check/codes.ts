/** The codes of what `sluice check` finds. A code never changes its meaning, and is never used for something else. */

/** What stands behind a code. */
export interface CheckCodeText {
  readonly title: string;
  /** Why it matters. */
  readonly explanation: string;
  /** What to do. */
  readonly remedy: string;
}

/** All of them. 0xx: the installation; 1xx: nodes and the cluster; 2xx: namespaces; 3xx: pods; 4xx: policies and Services; 5xx: files. */
export const CHECK_CODES = {
  CK001: {
    title: 'there is no webhook',
    explanation:
      'The webhook of the injector adds the sidecar to new pods. Without it no pod is injected, and no policy is enforced.',
    remedy: 'Install Sluice: the default overlay of the manifests, or the chart.',
  },
  CK002: {
    title: 'the webhook does not fail closed',
    explanation:
      'With a failurePolicy other than Fail, pods that are created while the injector is away run without a sidecar.',
    remedy: 'Set failurePolicy: Fail, as the manifests have it.',
  },
  CK003: {
    title: 'the webhook has no CA that is valid now',
    explanation:
      'The injector writes its CA into the webhook within seconds of its start. Until then the API server does not trust it, and refuses every pod of enabled namespaces.',
    remedy: 'Read the log of the injector: it may lack the right to change the webhook.',
  },
  CK004: {
    title: 'an admission policy is not bound',
    explanation:
      'The admission policies of the manifests hold when the webhook is gone or passed by. What each of them keeps out is in the message.',
    remedy: 'Apply the manifests again, with all their policies and bindings. They need Kubernetes 1.30.',
  },
  CK005: {
    title: 'the injector does not run',
    explanation:
      'Without an injector every new pod of enabled namespaces is refused, and sidecars keep the policies that they had.',
    remedy: 'See why its pods do not become ready; install it where it is not there.',
  },
  CK006: {
    title: 'sidecars cannot find the injector',
    explanation:
      'Sidecars reach the injector at the cluster IP of its Service. It is not there, or it has none.',
    remedy: 'Apply the manifests again. The Service may not be headless.',
  },
  CK007: {
    title: "the injector's own namespace has no Pod Security level",
    explanation:
      'The injector needs no right on its node. Without a level, a user who may create pods in its namespace may create privileged ones, beside its keys.',
    remedy: 'Label the namespace pod-security.kubernetes.io/enforce=restricted.',
  },
  CK008: {
    title: 'this version of Kubernetes is too old',
    explanation:
      'The default overlay needs Kubernetes 1.30, for its admission policies and native sidecars. The classic one was tried from 1.27 on.',
    remedy: 'Install manifests/overlays/classic on 1.27 to 1.29; upgrade what is older.',
  },
  CK009: {
    title: "pods cannot be judged with the injector's settings",
    explanation:
      'Pods are judged with default limits instead: what is said of requests and limits may be wrong for this installation.',
    remedy: 'Set the variables in the Deployment itself, or compare the limits by hand.',
  },
  CK010: {
    title: 'the injector cannot start with its settings',
    explanation: 'A variable or a flag of its Deployment has a value that it does not take.',
    remedy: 'Correct the value that the message names.',
  },
  CK101: {
    title: 'something else enforces NetworkPolicy in this cluster too',
    explanation:
      'What the other enforcer denies, Sluice cannot let through, and nothing that Sluice records says so. Connections pass only where both allow them, and each pod pays for both.',
    remedy:
      'Turn the policy enforcement of one of them off, or do without Sluice where the network plugin enforces policy.',
  },
  CK102: {
    title: 'a node cannot run the sidecar',
    explanation:
      'The rules of a pod need Linux 5.3 or later (nftables `ip option`); the image is made for amd64 and arm64. Pods of enabled namespaces do not start on such a node.',
    remedy: 'Keep the pods off the node, with a nodeSelector or a taint, or update its kernel.',
  },
  CK103: {
    title: "a node's kernel refused a sidecar",
    explanation:
      'A sidecar ended because the kernel of its node lacks a module or a feature. No injected pod starts there.',
    remedy:
      'Load the modules that the message names on the node, or keep the pods off it. `sluice check --node`, as root on the node, tries all that is needed.',
  },
  CK104: {
    title: 'a pod runs in a sandbox without TPROXY',
    explanation:
      'The network of gVisor has no TPROXY, which leads connections to the sidecar. The injected pod does not start.',
    remedy: 'Use another RuntimeClass for the pod, or leave the namespace without the label.',
  },
  CK105: {
    title: 'the kernel of this machine lacks what the sidecar needs',
    explanation:
      'In a network namespace of its own, which is gone afterwards, the redirect and the gate of a pod were put in force. The kernel refused something.',
    remedy: 'Load the modules that the message names. Run this as root.',
  },
  CK106: {
    title: 'the kernel of this machine cannot do what the direct path needs',
    explanation:
      'Pods with sluice.dev/path=auto take the proxy on this node, which costs processor time. Those with direct do not start.',
    remedy:
      'Use a kernel that has what the message names: mostly CONFIG_INET_DIAG_DESTROY, by which TCP connections are ended. Run this as root.',
  },
  CK107: {
    title: 'auto comes to the proxy on a node',
    explanation:
      'The kernel of the node lacks something that the direct path needs. Pods with sluice.dev/path=auto take the proxy there, which costs processor time. Those with direct do not start. One pod of each node was asked, by the log of its sidecar, as far as you may read it.',
    remedy:
      'Use a kernel that has what the message names, or keep pods with direct off the node. `sluice check --node`, as root on the node, tries it again.',
  },
  CK201: {
    title: 'the namespace is not there',
    explanation: 'There is nothing to look at.',
    remedy: 'Write its name as it is.',
  },
  CK202: {
    title: 'the namespace is never injected',
    explanation:
      'A cluster needs the pods of kube-system, and of the injector, to start. They are never injected, also if their labels say otherwise.',
    remedy: 'Take the label off. Put what is to be enforced into another namespace.',
  },
  CK203: {
    title: 'the namespace is not labelled for injection',
    explanation: 'Only the value `enabled` of the label sluice.dev/inject has pods injected.',
    remedy: 'Label the namespace, then restart its workloads.',
  },
  CK204: {
    title: 'no namespace is labelled for injection',
    explanation: 'No pod is injected, so no policy is enforced.',
    remedy: 'Label a namespace sluice.dev/inject=enabled.',
  },
  CK205: {
    title: 'Pod Security refuses every injected pod',
    explanation:
      'The sidecar has the capability NET_ADMIN, which the levels baseline and restricted do not allow.',
    remedy:
      'Label the namespace pod-security.kubernetes.io/enforce=privileged. Sluice then holds its pods to the level of sluice.dev/pod-security itself.',
  },
  CK206: {
    title: 'Pod Security warns of every injected pod',
    explanation:
      'The label only warns or audits. Each pod gives a message about the NET_ADMIN of the sidecar.',
    remedy: 'Take the label off, or live with the messages.',
  },
  CK207: {
    title: 'a level of Pod Security that there is not',
    explanation:
      'A value of the label sluice.dev/pod-security that is none of the levels is taken for the strictest one.',
    remedy: 'Write baseline or restricted.',
  },
  CK208: {
    title: 'an annotation that means nothing',
    explanation:
      'Annotations of sluice.dev that nobody reads are mostly misspelt. What they were to change does not change.',
    remedy: 'Write it as docs/kubernetes.md lists it.',
  },
  CK301: {
    title: 'a pod that the API would not take',
    explanation: 'The fields that the message names cannot be read, so nothing can be said of the pod.',
    remedy: 'Correct the fields.',
  },
  CK302: {
    title: 'a pod that will be refused',
    explanation:
      'Injection refuses pods that could get out of enforcement, and annotations with values that there are not. A ReplicaSet says it with FailedCreate.',
    remedy:
      'Change what the message names, or have the namespace allow it where there is an annotation for that.',
  },
  CK303: {
    title: 'a pod that is left out',
    explanation:
      'Policy is not enforced on it: it is on the host network, or it opts out and its namespace allows that.',
    remedy: 'Nothing, if it is meant.',
  },
  CK304: {
    title: 'a pod without a sidecar',
    explanation:
      'Only new pods are injected. This one was created before the namespace had the label, or while there was no webhook. No policy is enforced on it.',
    remedy: 'Restart its workload.',
  },
  CK305: {
    title: 'a sidecar that looks for the injector at an address that it had',
    explanation:
      'The address of the injector is written into the pod when it is injected. Once its connection ends, the sidecar gets no tables any more, and keeps the last one.',
    remedy: 'Restart the workload.',
  },
  CK401: {
    title: 'a policy that is not enforced as it is written',
    explanation:
      'A part of the policy, or all of it, admits nothing, because it cannot be enforced. The policy isolates what it selects.',
    remedy: 'Change what the message names: split a policy that is too large, correct a rule that is broken.',
  },
  CK402: {
    title: 'a Service through which outsiders reach isolated pods',
    explanation:
      "A node that takes a connection from outside sends it on under its own address, and a pod always lets its own node in. The pod's policies do not see the client.",
    remedy: 'Set externalTrafficPolicy: Local, or let the pods take only their probes from the node.',
  },
  CK403: {
    title: 'a pod whose names do not resolve',
    explanation: 'Its egress is isolated, and no rule admits the name servers of the cluster.',
    remedy: 'Admit UDP and TCP 53 to them. `sluice lint` finds this as NP008, with the rule that is missing.',
  },
  CK501: {
    title: 'a fault in the manifests',
    explanation: 'What cannot be read is not looked at: pods or policies may be missing here.',
    remedy: 'Correct what the message names.',
  },
} as const satisfies Record<string, CheckCodeText>;

/** One of them. */
export type CheckCode = keyof typeof CHECK_CODES;

/** All codes, in order. */
export const CHECK_CODE_LIST = Object.keys(CHECK_CODES).filter(isCheckCode);

/** Whether a text is a code. */
export function isCheckCode(text: string): text is CheckCode {
  return Object.hasOwn(CHECK_CODES, text);
}

/** What `--explain` says of a code. */
export function explainCode(code: CheckCode): string {
  const { title, explanation, remedy } = CHECK_CODES[code];
  return `${code}: ${title}\n\n${explanation}\n\nWhat to do: ${remedy}\n`;
}
