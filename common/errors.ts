/**
 * Errors that users and tests match on: one base class, permanent codes.
 * docs/reference/errors.md lists each code; a test keeps it equal to `ERROR_CODES`.
 */

/** Every code, with what it means. A code never changes its meaning and is never reused. */
export const ERROR_CODES = {
  OBJECT_INVALID: 'A Kubernetes object does not pass validation; the message names the field.',
  ADDRESS_INVALID: 'A text is not an IP address or CIDR.',
  POD_NOT_SUBJECT:
    'The pod is unknown, on the host network or finished: policy cannot select it, so it has no table.',
  TABLE_GAP: 'A table delta does not continue the revision in force.',
  TABLE_MALFORMED: 'A table, delta or frame is not of the expected form.',
  TABLE_TOO_LARGE:
    'A table is larger than what a sidecar keeps on disk; it is in force until the sidecar restarts.',
  NATIVE_ADDON_MISSING: 'The native addon is not built or does not load.',
  SOCKET_CAPABILITY_MISSING:
    'A socket call needs a capability that the process lacks (NET_ADMIN or NET_RAW).',
  SOCKET_KERNEL_UNSUPPORTED: 'The kernel lacks a socket option or address family.',
  SOCKET_ADDRESS_IN_USE: 'An address and port are taken.',
  SOCKET_ADDRESS_UNAVAILABLE: 'An address does not exist in this network namespace.',
  SOCKET_DESCRIPTORS_EXHAUSTED: 'The process or the system is out of file descriptors.',
  SOCKET_FAILED: 'A socket call failed in a way that is not expected.',
  NETLINK_UNAVAILABLE: 'The kernel lacks a part that is spoken to by netlink.',
  NETLINK_OVERRUN: 'Netlink messages were lost because they came faster than they were taken.',
  NETLINK_FAILED: 'A netlink call failed in a way that is not expected.',
  CONFIG_INVALID: 'An environment variable or flag has a wrong value; the message names it.',
  TOOL_MISSING: 'A system tool (iptables, ip, nft) is missing or does not run.',
  TOOL_FAILED: 'A system tool could not be started, for want of file descriptors, processes or memory.',
  TOOL_ANSWER_UNKNOWN: 'A system tool (nft, ip) answered in a form that is not known; the message shows it.',
  OUTBOUND_UNSUPPORTED:
    'The kernel cannot destroy sockets: outbound connections that are denied end some seconds after their next packet.',
  GATE_UNAVAILABLE: 'Gate and guard cannot work here: no nft in the kernel or the image, or no capability.',
  GATE_REFUSED: 'The kernel refused rules of the gate or the guard, or nft failed; the last good ones stay.',
  REDIRECT_CAPABILITY_MISSING: 'Changing the redirect rules needs the capability NET_ADMIN.',
  REDIRECT_KERNEL_UNSUPPORTED: 'The kernel lacks a feature that the redirect rules need.',
  PATH_UNSUPPORTED: 'The direct path is asked for, and the kernel of the pod cannot do all of it.',
  REDIRECT_INCOMPLETE: 'The redirect rules in force are not the ones that should be.',
  MANIFEST_UNREADABLE: 'A file or directory of manifests cannot be read.',
  LISTEN_PATH_IN_USE: 'Another process listens on the unix socket path.',
  LISTEN_PATH_UNUSABLE: 'A unix socket cannot be made at the path.',
  LISTEN_ADDRESS_UNUSABLE: 'A server cannot listen on the address and port.',
  TOKEN_UNCHECKED:
    'A service-account token cannot be checked now: the API server does not answer, or not in time.',
  RIGHTS_UNCHECKED:
    'What a user may see cannot be asked of the API server now: it does not answer, or not in time.',
  CERTIFICATES_UNUSABLE:
    "The injector's certificates cannot be read, written or renewed; the message says why.",
  CREDENTIALS_UNUSABLE:
    "The sidecar's token or the CA certificates that it trusts cannot be read; the message names the file.",
  LAB_NAME_INVALID: 'The name of a lab has characters or a length that are not allowed.',
  LAB_NOT_ROOT: 'Building and changing a lab needs root.',
  LAB_KERNEL_UNSUPPORTED: 'The kernel lacks a feature that a lab needs.',
  LAB_TOOL_MISSING: 'A system tool that the lab calls is not installed.',
  LAB_COMMAND_FAILED: 'A system tool that the lab called has failed; the message has its complaint.',
  LAB_EXISTS: 'A lab of this name is there already, up or left over.',
  LAB_ELSEWHERE: 'The lab of this name runs, and belongs to another SLUICE_LAB_DIR.',
  LAB_STATE_INVALID: 'The state.json of a lab is not of the form that this version of Sluice writes.',
  LAB_ANSWER_INVALID: 'A program of a lab answered in a form that is not known.',
  LAB_FOLDER_UNUSABLE: 'The folder of labs, SLUICE_LAB_DIR, cannot be made or read.',
  LAB_NOT_FOUND: 'There is no lab of this name.',
  LAB_BUSY: 'Another command is changing this lab.',
  LAB_TARGET_UNKNOWN: 'A pod, node or process is not part of the lab.',
  LAB_POD_WITHOUT_ADDRESS: 'No pod of the lab has a status.podIP.',
  LAB_ADDRESS_CONFLICT: 'Two pods, nodes, Services or external hosts of one lab claim the same address.',
  LAB_PORT_RESERVED: "A pod's containerPort is one that its sidecar needs for itself.",
  LAB_TOO_LARGE: 'A lab has more nodes than it can number.',
  LAB_MANIFESTS_INVALID: 'Manifests have errors; the message names file, document and field.',
  LAB_PROCESS_FAILED: 'An injector, sidecar or app of the lab did not start.',
  LAB_NOT_ENFORCED: 'Not every sidecar of the lab has put the current table in force in time.',
  LAB_INTERRUPTED: 'Building the lab was interrupted; what was built has been removed.',
  LAB_LEFTOVERS: 'Something of the lab could not be removed.',
  USAGE: 'A command line is wrong; the message says how it is written.',
  TIMED_OUT: 'The time that the user gave a command with --timeout is over.',
  FLOWS_UNREADABLE:
    'Observed flows cannot be read: of a file, of an injector, or of the sidecars; the message says why.',
  CLUSTER_UNREADABLE: 'The cluster that a command asks cannot be read; the message says what failed.',
  KUBECONFIG_UNUSABLE:
    'There is no kubeconfig, or it has no such context or no server; the message says where it was looked for.',
  RIGHT_MISSING:
    'The user of the kubeconfig may not read what a command needs; the message names verb, resource and namespace.',
  INPUT_TOO_LARGE: 'What a command is to read is beyond a bound; the message names the bound.',
  GIT_UNREADABLE: 'A revision, or a path in it, cannot be read from the git repository.',
  ENDPOINT_INVALID: 'An end of a flow is written in none of the accepted forms.',
  ENDPOINT_UNKNOWN:
    'An end of a flow names a pod or workload that is not in what was read: manifests, a lab or a cluster.',
  NAME_UNKNOWN: 'A command names an object that is not in what was read: manifests, a lab or a cluster.',
  PORT_INVALID: 'A port or protocol is not well-formed, or the two contradict each other.',
  PORT_UNKNOWN: 'The destination of a flow does not declare a port of the name and protocol.',
  QUESTION_INVALID: 'A line of `sluice can --batch` is not a question; the message says why.',
  BATCH_UNREADABLE: 'The input of `sluice can --batch` cannot be read.',
  CASE_NOT_PROBED: 'A case of `sluice test` cannot be tried with packets in the lab; the message says why.',
} as const;

/** A permanent error code. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** The base of all errors Sluice throws on purpose. The message says what to do next. */
export class SluiceError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SluiceError';
    this.code = code;
  }
}

/**
 * The end of a `switch` over a union: does not compile while a case is missing.
 * @throws Error when a value of no known case arrives all the same, as data from outside could be
 */
export function unreachable(value: never): never {
  throw new Error(`no case for ${JSON.stringify(value)}`);
}
