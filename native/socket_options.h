// Options that the relay sets on its TCP sockets. Errors are ignored: only a socket that is going away has any.
#pragma once
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "relay.h"

// No small message waits for the answer to the one before: TCP_NODELAY of tcp(7).
static inline void send_at_once(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Should this process be killed, the kernel closes its sockets: with a reset, so that nobody takes half a stream for a whole
// one. SO_LINGER of socket(7); `flow_close` decides otherwise.
static inline void reset_when_killed(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

// Urgent data stays in the stream, tcp(7): an app that reads it there misses no byte.
static inline void read_in_line(int fd) {
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
}

// At the kernel's own times, 2 hours: the app leg's peer is in the same kernel, but connection tracking forgets the leg's mark
// after 5 idle days, and then the app's next bytes would leave the pod.
static inline void keep_tracked(int fd) {
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

// Finds a client that has vanished while nothing is on the way to it. Where something is, the kernel gives up by itself,
// tcp_retries2 of tcp(7). No TCP_USER_TIMEOUT: it would end flows whose live reader has stopped for that long.
static inline void keep_alive(int fd, const struct relay_options *options) {
  int on = 1, idle = (int)options->keepalive_seconds, interval = (int)options->keepalive_interval_seconds;
  int probes = (int)options->keepalive_probes;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}
