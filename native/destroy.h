// Destroying TCP sockets of this network namespace, of all processes: sock_diag(7), SOCK_DESTROY.
#pragma once
#include <stddef.h>
#include <stdint.h>

// What the kernel knows a socket by, as a listing of sock_diag has it.
struct doomed_socket {
  uint8_t family;  // AF_INET or AF_INET6
  uint8_t unused[3];
  uint8_t id[48];  // struct inet_diag_sockid: ports, addresses, interface, cookie
};

// Ends connections with a reset at both ends, and drops connections that are being opened; some 20 us each.
// `results`: for each socket 0 or -errno: -ENOENT when it is not there any more, -EOPNOTSUPP when the kernel cannot.
// Returns 0, or -errno when the kernel cannot be asked or does not answer; `results` are then not to be used.
int destroy_sockets(const struct doomed_socket *sockets, size_t count, int32_t *results);
