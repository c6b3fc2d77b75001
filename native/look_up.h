// Looking up TCP sockets by their addresses and ports: sock_diag(7), SOCK_DIAG_BY_FAMILY.
#pragma once
#include "diag.h"

// What the kernel says of a socket; all are numbers of JavaScript.
struct socket_facts {
  double state;        // as in tcp_states.h, or -errno: -ENOENT where there is none
  double has_process;  // 1 or 0: a process has it open
  double sent;         // bytes, without retransmissions
  double received;     // bytes; the end of the stream counts as one
};

// Finds the socket that a packet to each of these would reach: a connection, or a listener where there is none. Some 2 us each. Its whole
// handle, with the kernel's cookie, takes the place of the one that was asked about.
// Returns 0, or -errno when the kernel cannot be asked or does not answer; nothing of it is then to be used.
int look_up_sockets(struct socket_handle *sockets, size_t count, struct socket_facts *facts);
// The same by a socket of `diag_open`.
int look_up_sockets_by(int fd, struct socket_handle *sockets, size_t count, struct socket_facts *facts);
