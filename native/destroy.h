// Destroying TCP sockets: sock_diag(7), SOCK_DESTROY.
#pragma once
#include "diag.h"
#include "look_up.h"

// Ends connections with a reset at both ends, and drops connections that are being opened; some 20 us each.
// `results`: for each socket 0 or -errno: -ENOENT when it is not there any more, -EOPNOTSUPP when the kernel cannot.
// Returns 0, or -errno when the kernel cannot be asked or does not answer; `results` are then not to be used.
int destroy_sockets(const struct socket_handle *sockets, size_t count, int32_t *results);

// Which sockets stay: masks of states, 1 << a state of tcp_states.h.
struct spared_states {
  uint32_t always;  // with or without a process that has the socket
  uint32_t left;    // where no process has it
};

// Looks up sockets as `look_up_sockets` does, and destroys what is found, but for what is spared: some tens at a time, so that little time
// is between a look and the order that follows from it. `facts`: what was found. `results`: as `destroy_sockets` has them; 0 for what
// was not found, or stays. Returns 0, or -errno as both; some may then be destroyed.
int destroy_found(struct socket_handle *sockets, size_t count, struct spared_states spared, struct socket_facts *facts,
                  int32_t *results);
