// Destroying TCP sockets: sock_diag(7), SOCK_DESTROY.
#pragma once
#include "diag.h"

// Ends connections with a reset at both ends, and drops connections that are being opened; some 20 us each.
// `results`: for each socket 0 or -errno: -ENOENT when it is not there any more, -EOPNOTSUPP when the kernel cannot.
// Returns 0, or -errno when the kernel cannot be asked or does not answer; `results` are then not to be used.
int destroy_sockets(const struct socket_handle *sockets, size_t count, int32_t *results);
