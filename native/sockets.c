// System calls on TCP sockets that Node does not offer. Each function does one thing and decides nothing: it returns a value
// >= 0, such as a file descriptor, or -errno. Ports are validated in sockets.ts, addresses by inet_pton(3).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"
#include "original.h"

#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75  // linux/in6.h; missing from some libcs
#endif

enum { MAX_ARGS = 4, FAMILY_IPV6 = 6, ADDRESS_TEXT_BYTES = 64 };  // room to see that a text is too long

static napi_value fail(napi_env env, int code) {
  errno = code;
  return addon_result(env, -1);
}

static void args(napi_env env, napi_callback_info info, napi_value *argv) {
  addon_args(env, info, MAX_ARGS, argv);
}

static int set_int(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value);
}

// tcpSocket(family: 4 | 6): fd — non-blocking, close-on-exec.
static napi_value tcp_socket(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  int domain = addon_int(env, a[0]) == FAMILY_IPV6 ? AF_INET6 : AF_INET;
  return addon_result(env, socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
}

// setTransparent(fd, family) — IP_TRANSPARENT, ip(7): bind and accept addresses that are not local.
static napi_value set_transparent(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  int fd = addon_int(env, a[0]);
  if (addon_int(env, a[1]) == FAMILY_IPV6) return addon_result(env, set_int(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1));
  return addon_result(env, set_int(fd, IPPROTO_IP, IP_TRANSPARENT, 1));
}

// setMark(fd, mark) — SO_MARK, socket(7).
static napi_value set_mark(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  return addon_result(env, set_int(addon_int(env, a[0]), SOL_SOCKET, SO_MARK, addon_int(env, a[1])));
}

// setReuseAddress(fd) — SO_REUSEADDR, socket(7).
static napi_value set_reuse_address(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  return addon_result(env, set_int(addon_int(env, a[0]), SOL_SOCKET, SO_REUSEADDR, 1));
}

// setV6Only(fd) — IPV6_V6ONLY, ipv6(7).
static napi_value set_v6_only(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  return addon_result(env, set_int(addon_int(env, a[0]), IPPROTO_IPV6, IPV6_V6ONLY, 1));
}

// setLingerZero(fd) — SO_LINGER with 0 s, socket(7): close then sends RST and drops what is unsent.
static napi_value set_linger_zero(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  return addon_result(env, setsockopt(addon_int(env, a[0]), SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
}

// setKeepAlive(fd, idle, interval, probes) — SO_KEEPALIVE, socket(7), at the times given in seconds, tcp(7).
static napi_value set_keep_alive(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  int fd = addon_int(env, a[0]);
  bool set = set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1) == 0 &&
             set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, addon_int(env, a[1])) == 0 &&
             set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, addon_int(env, a[2])) == 0 &&
             set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, addon_int(env, a[3])) == 0;
  return addon_result(env, set ? 0 : -1);
}

// setOobInline(fd) — SO_OOBINLINE, socket(7): urgent data is read in the stream.
static napi_value set_oob_inline(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  return addon_result(env, set_int(addon_int(env, a[0]), SOL_SOCKET, SO_OOBINLINE, 1));
}

// socketError(fd) — SO_ERROR, socket(7): the errno that waits there, which this takes away; 0: none.
static napi_value socket_error(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(addon_int(env, a[0]), SOL_SOCKET, SO_ERROR, &error, &length) < 0) return addon_result(env, -1);
  return addon_result(env, error);
}

// bind(fd, family, address, port) — bind(2); the address is text as inet_pton(3) reads it.
static napi_value bind_socket(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  char text[ADDRESS_TEXT_BYTES];
  size_t length = 0;
  if (napi_get_value_string_utf8(env, a[2], text, sizeof text, &length) != napi_ok) return fail(env, EINVAL);
  int fd = addon_int(env, a[0]);
  uint16_t port = htons((uint16_t)addon_int(env, a[3]));
  if (addon_int(env, a[1]) == FAMILY_IPV6) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = port};
    if (inet_pton(AF_INET6, text, &address.sin6_addr) != 1) return fail(env, EINVAL);
    return addon_result(env, bind(fd, (struct sockaddr *)&address, sizeof address));
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port};
  if (inet_pton(AF_INET, text, &address.sin_addr) != 1) return fail(env, EINVAL);
  return addon_result(env, bind(fd, (struct sockaddr *)&address, sizeof address));
}

// listen(fd, backlog) — listen(2).
static napi_value listen_socket(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  return addon_result(env, listen(addon_int(env, a[0]), addon_int(env, a[1])));
}

// tcpState(fd) — the state of TCP_INFO, tcp(7): 1 is established, 7 is closed.
static napi_value tcp_state(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  struct tcp_info state = {0};
  socklen_t length = sizeof state;
  if (getsockopt(addon_int(env, a[0]), IPPROTO_TCP, TCP_INFO, &state, &length) < 0) return addon_result(env, -1);
  return addon_result(env, state.tcpi_state);
}

// originalDestination(fd, address: Uint8Array): port — SO_ORIGINAL_DST; the address gets 4 or 16 bytes, by its length.
static napi_value get_original_destination(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  int fd = addon_int(env, a[0]);
  void *data = NULL;
  size_t length = 0;
  napi_get_typedarray_info(env, a[1], NULL, &length, &data, NULL, NULL);
  struct sockaddr_storage destination = {0};
  socklen_t size = sizeof destination;
  if (getsockname(fd, (struct sockaddr *)&destination, &size) < 0) return addon_result(env, -1);
  original_destination(fd, &destination);
  const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)&destination;
  const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)&destination;
  bool is_ipv6 = destination.ss_family == AF_INET6;
  if (length != (is_ipv6 ? sizeof ipv6->sin6_addr : sizeof ipv4->sin_addr)) return fail(env, EINVAL);
  memcpy(data, is_ipv6 ? (const void *)&ipv6->sin6_addr : (const void *)&ipv4->sin_addr, length);
  return addon_result(env, ntohs(ipv4->sin_port));
}

// close(fd) — close(2).
static napi_value close_socket(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  args(env, info, a);
  return addon_result(env, close(addon_int(env, a[0])));
}

const struct addon_function sockets_functions[] = {
    {"tcpSocket", tcp_socket},
    {"setTransparent", set_transparent},
    {"setMark", set_mark},
    {"setReuseAddress", set_reuse_address},
    {"setV6Only", set_v6_only},
    {"setLingerZero", set_linger_zero},
    {"setKeepAlive", set_keep_alive},
    {"setOobInline", set_oob_inline},
    {"socketError", socket_error},
    {"bind", bind_socket},
    {"listen", listen_socket},
    {"close", close_socket},
    {"originalDestination", get_original_destination},
    {"tcpState", tcp_state},
    {NULL, NULL},
};
