#define _GNU_SOURCE
#include "buffers.h"

#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#ifndef SO_MEMINFO
#define SO_MEMINFO 55  // asm-generic/socket.h; missing from some libcs
#endif
#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72  // asm-generic/socket.h, Linux 5.14; missing from some libcs
#endif
#ifndef SOCK_RCVBUF_LOCK
#define SOCK_RCVBUF_LOCK 2  // linux/socket.h, Linux 5.14
#endif

enum {
  // The kernel doubles all of these, socket(7), and counts its own part in. Left to itself it goes up to tcp_rmem[2] and
  // tcp_wmem[2], 6 to 32 MiB and 4 MiB. What each costs: ADR 0023.
  // Until a flow has shown that its reader reads: with a pipe, a stalled direction then holds less than 1 MiB.
  FIRST_RECEIVE_BYTES = 112 * 1024,
  FIRST_SEND_BYTES = 128 * 1024,
  // Afterwards.
  RECEIVE_BYTES = 4 * 1024 * 1024,
  SEND_BYTES = 1024 * 1024,  // where the kernel cannot be given back the choice
  // As far as the first window gives no less than 1 Gb/s.
  NEAR_US = 3000,
};

static void set_int(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

static void limit_receive(int fd, int bytes) {
  set_int(fd, SOL_SOCKET, SO_RCVBUF, bytes);       // as far as net.core.rmem_max lets it
  set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes);  // beyond, with NET_ADMIN
  // The window follows the buffer only while the kernel sizes both.
  set_int(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, 2 * bytes);
}

static void limit_send(int fd, int bytes) {
  set_int(fd, SOL_SOCKET, SO_SNDBUF, bytes);
  set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes);
}

void buffers_limit_leg(int fd) {
  limit_receive(fd, FIRST_RECEIVE_BYTES);
  limit_send(fd, FIRST_SEND_BYTES);
}

bool buffers_limit_client(int fd) {
  struct tcp_info info = {0};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 || info.tcpi_min_rtt > NEAR_US) return false;
  buffers_limit_leg(fd);
  return true;
}

void buffers_widen(int fd) {
  int kept = SOCK_RCVBUF_LOCK;
  if (setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &kept, sizeof kept) < 0) limit_send(fd, SEND_BYTES);
  limit_receive(fd, RECEIVE_BYTES);
}

uint64_t buffers_held(int fd) {
  uint32_t memory[SK_MEMINFO_VARS] = {0};
  socklen_t size = sizeof memory;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size) < 0) return 0;
  return (uint64_t)memory[SK_MEMINFO_RMEM_ALLOC] + memory[SK_MEMINFO_WMEM_QUEUED] + memory[SK_MEMINFO_FWD_ALLOC];
}
