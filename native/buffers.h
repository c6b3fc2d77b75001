// Bounds of what the kernel may hold of a flow, and how much that is. A stalled reader must not fill the memory: its own socket and
// the sidecar's hold a little, and then the writer waits.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// Of the app leg: its peer is in the same kernel. Not before it is connected: the handshake fixes how large a window can ever be.
void buffers_limit_leg(int fd);
// Of a client's leg that carries bulk, if the client is near. For one that is far the kernel goes by what the way needs: false.
bool buffers_limit_client(int fd);
// Of a limited socket, once its flow has shown that its reader reads: room for more, and what is to be sent the kernel sizes again.
void buffers_widen(int fd);
// Bytes of memory that a socket's queues hold, with what the kernel has reserved for them; SO_MEMINFO.
uint64_t buffers_held(int fd);
