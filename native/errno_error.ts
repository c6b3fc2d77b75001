/**
 * What an error number of the addon's calls means: the only place where an errno becomes an error code. Each entry names the
 * test that shows it; those without one were read in the man page.
 */
import type { ErrorCode } from '../common/errors.ts';

/** What was asked of the kernel. */
export type NativeCall = 'socket' | 'netlink' | 'thread';

/** An error code, and what to do. */
export interface ErrnoMeaning {
  readonly code: ErrorCode;
  readonly hint: string;
}

type Meanings = Readonly<Record<string, ErrnoMeaning>>;

/** The same for every call. relay.test.ts: "a relay that finds no descriptors says so, and keeps none" */
const OF_ALL: Meanings = {
  EMFILE: {
    code: 'SOCKET_DESCRIPTORS_EXHAUSTED',
    hint: 'this process is out of file descriptors: raise its limit',
  },
  ENFILE: { code: 'SOCKET_DESCRIPTORS_EXHAUSTED', hint: 'the system is out of file descriptors' },
};

const OF_CALLS: Readonly<Record<NativeCall, Meanings>> = {
  socket: {
    // sockets.test.ts: "without capabilities the error says which one is missing"
    EPERM: { code: 'SOCKET_CAPABILITY_MISSING', hint: 'needs the capability NET_ADMIN or NET_RAW' },
    // bind(2): a port below 1024
    EACCES: { code: 'SOCKET_CAPABILITY_MISSING', hint: 'needs the capability NET_BIND_SERVICE or NET_ADMIN' },
    ENOPROTOOPT: {
      code: 'SOCKET_KERNEL_UNSUPPORTED',
      hint: 'the kernel lacks this option (CONFIG_NETFILTER_XT_TARGET_TPROXY)',
    },
    EAFNOSUPPORT: { code: 'SOCKET_KERNEL_UNSUPPORTED', hint: 'the kernel has no such address family' },
    // sockets.test.ts: "a taken port is SOCKET_ADDRESS_IN_USE and leaks no descriptor"
    EADDRINUSE: { code: 'SOCKET_ADDRESS_IN_USE', hint: 'the address and port are taken' },
    EADDRNOTAVAIL: {
      code: 'SOCKET_ADDRESS_UNAVAILABLE',
      hint: 'no such address here (is the family enabled in this network namespace?)',
    },
  },
  netlink: {
    EPERM: { code: 'SOCKET_CAPABILITY_MISSING', hint: 'needs the capability NET_ADMIN' },
    // netlink.test.ts: "a part that the kernel lacks is NETLINK_UNAVAILABLE"
    EPROTONOSUPPORT: { code: 'NETLINK_UNAVAILABLE', hint: 'the kernel lacks this part' },
    // netlink(7): the receive buffer was full
    ENOBUFS: { code: 'NETLINK_OVERRUN', hint: 'messages were lost; ask again' },
  },
  thread: {},
};

/** Any other errno. sockets.test.ts: "an address that is no address is refused before it reaches the kernel" */
const OTHERWISE: Readonly<Record<NativeCall, ErrnoMeaning>> = {
  socket: { code: 'SOCKET_FAILED', hint: 'unexpected; please report it' },
  netlink: { code: 'NETLINK_FAILED', hint: 'unexpected; please report it' },
  thread: { code: 'SOCKET_FAILED', hint: 'look at the limits of files and threads' },
};

/** @param name of the errno, such as `EPERM` */
export function errnoMeaning(name: string, call: NativeCall): ErrnoMeaning {
  return OF_CALLS[call][name] ?? OF_ALL[name] ?? OTHERWISE[call];
}
