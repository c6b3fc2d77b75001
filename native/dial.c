#define _GNU_SOURCE
#include "dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75  // linux/in6.h; missing from some libcs
#endif

enum {
  BIND_ATTEMPTS = 32,  // ports are taken in turn, so a few taken ones in a row are already rare
  DIAL_ATTEMPTS = 16,  // with a jump between them: only a client with most ports in use clashes often
};

static int set_int(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value);
}

// The address for bind(2) and connect(2); returns its size.
static uint32_t address_of(const struct flow *flow, int side, uint16_t port, void *storage) {
  if (flow->flags & RELAY_IPV6) {
    struct sockaddr_in6 *address = storage;
    *address = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&address->sin6_addr, flow->address[side], sizeof address->sin6_addr);
    return sizeof *address;
  }
  struct sockaddr_in *address = storage;
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
  memcpy(&address->sin_addr, flow->address[side], sizeof address->sin_addr);
  return sizeof *address;
}

bool dial_is_port_clash(int error) { return error == EADDRNOTAVAIL || error == EADDRINUSE; }

bool dial_had_connected(int error) { return error == ECONNRESET || error == EPIPE; }

void dial_skip_ports(struct dialler *dialler) {
  dialler->random = dialler->random * 1664525u + 1013904223u;  // any spread will do
  uint32_t ports = dialler->last_port - dialler->first_port + 1;
  dialler->next_port = dialler->first_port + (dialler->random >> 8) % ports;
}

static int bind_leg(struct dialler *dialler, const struct flow *flow, int fd) {
  struct sockaddr_storage address;
  for (int attempt = 1;; attempt++) {
    uint32_t port = dialler->next_port;
    dialler->next_port = port == dialler->last_port ? dialler->first_port : port + 1;
    uint32_t size = address_of(flow, SOURCE, (uint16_t)port, &address);
    if (bind(fd, (struct sockaddr *)&address, size) == 0) return 0;
    if (errno != EADDRINUSE || attempt == BIND_ATTEMPTS) return -1;
  }
}

// A socket bound to the client's address.
static int make_leg(struct dialler *dialler, const struct flow *flow) {
  bool ipv6 = flow->flags & RELAY_IPV6;
  int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return -1;
  int transparent = ipv6 ? set_int(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1) : set_int(fd, IPPROTO_IP, IP_TRANSPARENT, 1);
  if (transparent == 0 && set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 &&
      (dialler->mark == 0 || set_int(fd, SOL_SOCKET, SO_MARK, (int)dialler->mark) == 0) && bind_leg(dialler, flow, fd) == 0)
    return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static enum dial_result failed(struct flow *flow, enum relay_end end, int error) {
  flow->end = (uint8_t)end;
  flow->error = error;
  return DIAL_FAILED;
}

enum dial_result dial_begin(struct dialler *dialler, struct flow *flow) {
  struct sockaddr_storage destination;
  uint32_t size = address_of(flow, DESTINATION, flow->port[DESTINATION], &destination);
  for (int attempt = 1;; attempt++) {
    int fd = make_leg(dialler, flow);
    if (fd < 0) {
      bool shortage = errno == EMFILE || errno == ENFILE || errno == EADDRINUSE || errno == ENOBUFS || errno == ENOMEM;
      return failed(flow, shortage ? RELAY_END_SHORTAGE : RELAY_END_DIAL_FAILED, errno);
    }
    if (connect(fd, (struct sockaddr *)&destination, size) == 0 || errno == EINPROGRESS) {
      flow->fd[DESTINATION] = fd;
      return DIAL_CONNECTING;
    }
    int error = errno;
    close(fd);
    if (!dial_is_port_clash(error)) return failed(flow, RELAY_END_UNREACHABLE, error);
    if (attempt == DIAL_ATTEMPTS) return failed(flow, RELAY_END_SHORTAGE, error);
    dial_skip_ports(dialler);
  }
}
