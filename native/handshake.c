#define _GNU_SOURCE
#include "handshake.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { HEADERS_BYTES = 128 };  // IPv4 or IPv6 and TCP with all options; of longer ones nothing is said

void handshake_keep(int listener) {
  int on = 1;
  setsockopt(listener, IPPROTO_TCP, TCP_SAVE_SYN, &on, sizeof on);
}

bool handshake_took(int fd, uint32_t *us) {
  struct tcp_info info = {0};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return false;
  // The answer was repeated: the time is that of the last one. No time at all is all bits set.
  if (info.tcpi_total_retrans != 0 || info.tcpi_min_rtt == UINT32_MAX) return false;
  // Without the SYN the time is what the client's time stamp says.
  char headers[HEADERS_BYTES];
  size = sizeof headers;
  if (getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, headers, &size) < 0 || size == 0) return false;
  *us = info.tcpi_min_rtt;
  return true;
}
