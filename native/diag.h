// Requests about TCP sockets of this network namespace, of all processes, many in one datagram: sock_diag(7).
#pragma once
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

// What the kernel knows a socket by.
struct socket_handle {
  uint8_t family;  // AF_INET or AF_INET6
  uint8_t unused[3];
  uint8_t id[48];  // struct inet_diag_sockid: ports, addresses, interface, cookie
};

// What is asked for.
struct diag_kind {
  uint16_t type, flags;  // of the header of netlink
  uint8_t extensions;    // what the answer is to have besides: a mask of INET_DIAG_*
  // Reads the answer to the request about the socket of this index. `length`: its bytes, of which the last may be missing. Returns 0,
  // or -errno where it is no answer.
  int (*read)(void *results, size_t index, const struct nlmsghdr *answer, size_t length);
};

// Requests in one datagram: the kernel answers each while it takes the datagram, and has to have room for that.
enum { DIAG_AT_ONCE = 64 };

// A socket for requests, which the caller closes; or -errno.
int diag_open(void);

// Makes a request about each socket, and has its answer read into `results`. Returns 0, or -errno when the kernel cannot be asked or
// does not answer; `results` are then not to be used.
int diag_ask_by(int fd, const struct diag_kind *kind, const struct socket_handle *sockets, size_t count, void *results);
