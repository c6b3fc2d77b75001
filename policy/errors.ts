/**
 * Errors that users and tests match on: one base class, permanent codes.
 * docs/reference/errors.md lists each code; a test keeps it equal to `ERROR_CODES`.
 */

/** Every code, with what it means. A code never changes its meaning and is never reused. */
export const ERROR_CODES = {
  OBJECT_INVALID: 'A Kubernetes object does not pass validation; the message names the field.',
  ADDRESS_INVALID: 'A text is not an IP address or CIDR.',
  TABLE_GAP: 'A table delta does not continue the revision in force.',
  TABLE_MALFORMED: 'A table, delta or frame is not of the expected form.',
  NATIVE_ADDON_MISSING: 'The native addon is not built or does not load.',
  SOCKET_CAPABILITY_MISSING:
    'A socket call needs a capability that the process lacks (NET_ADMIN or NET_RAW).',
  SOCKET_KERNEL_UNSUPPORTED: 'The kernel lacks a socket option or address family.',
  SOCKET_ADDRESS_IN_USE: 'An address and port are taken.',
  SOCKET_ADDRESS_UNAVAILABLE: 'An address does not exist in this network namespace.',
  SOCKET_DESCRIPTORS_EXHAUSTED: 'The process or the system is out of file descriptors.',
  SOCKET_FAILED: 'A socket call failed in a way that is not expected.',
  CONFIG_INVALID: 'An environment variable or flag has a wrong value; the message names it.',
  REDIRECT_TOOLS_MISSING: 'iptables or ip is missing or does not run.',
  REDIRECT_CAPABILITY_MISSING: 'Changing the redirect rules needs the capability NET_ADMIN.',
  REDIRECT_KERNEL_UNSUPPORTED: 'The kernel lacks a feature that the redirect rules need.',
  REDIRECT_INCOMPLETE: 'The redirect rules in force are not the ones that should be.',
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
