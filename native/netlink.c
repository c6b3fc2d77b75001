// Netlink sockets, netlink(7): datagrams to the kernel and from it. Nothing is read or written inside of them here:
// messages are made and understood in JavaScript. Each call returns -errno on failure.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"

enum { MAX_ARGS = 3 };

static napi_value invalid(napi_env env) {
  errno = EINVAL;
  return addon_result(env, -1);
}

// netlinkSocket(protocol): fd — non-blocking, close-on-exec, with an address that the kernel picks.
static napi_value netlink_socket(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  addon_args(env, info, MAX_ARGS, a);
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, addon_int(env, a[0]));
  if (fd < 0) return addon_result(env, fd);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    int code = errno;
    close(fd);
    errno = code;
    return addon_result(env, -1);
  }
  return addon_result(env, fd);
}

static ssize_t send_to_kernel(int fd, const void *data, size_t length) {
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  return sendto(fd, data, length, 0, (struct sockaddr *)&kernel, sizeof kernel);
}

// netlinkSend(fd, bytes) — one datagram to the kernel, which has done what it asks for when this returns.
static napi_value netlink_send(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  addon_args(env, info, MAX_ARGS, a);
  void *data = NULL;
  size_t length = 0;
  if (addon_bytes(env, a[1], &data, &length) < 0) return invalid(env);
  return addon_result(env, (int)send_to_kernel(addon_int(env, a[0]), data, length));
}

struct sending {
  int fd;
  const void *data;
  size_t length;
  int result;  // or -errno
  napi_ref bytes;
  napi_deferred deferred;
  napi_async_work work;
};

static void send_aside(napi_env env, void *argument) {
  (void)env;
  struct sending *sending = argument;
  ssize_t sent = send_to_kernel(sending->fd, sending->data, sending->length);
  sending->result = sent < 0 ? -errno : (int)sent;
}

static void sent_aside(napi_env env, napi_status status, void *argument) {
  struct sending *sending = argument;
  napi_value result;
  napi_create_int32(env, status == napi_ok ? sending->result : -ECANCELED, &result);
  napi_resolve_deferred(env, sending->deferred, result);
  napi_delete_reference(env, sending->bytes);
  napi_delete_async_work(env, sending->work);
  free(sending);
}

// netlinkSendAside(fd, bytes): Promise — the same on a thread of Node's pool. Neither may be used or closed meanwhile.
static napi_value netlink_send_aside(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS], promise, name;
  addon_args(env, info, MAX_ARGS, a);
  void *data = NULL;
  size_t length = 0;
  if (addon_bytes(env, a[1], &data, &length) < 0) return invalid(env);
  struct sending *sending = calloc(1, sizeof *sending);
  if (sending == NULL) return addon_result(env, -1);
  *sending = (struct sending){.fd = addon_int(env, a[0]), .data = data, .length = length};
  napi_create_promise(env, &sending->deferred, &promise);
  napi_create_reference(env, a[1], 1, &sending->bytes);
  napi_create_string_utf8(env, "netlink", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, NULL, name, send_aside, sent_aside, sending, &sending->work);
  napi_queue_async_work(env, sending->work);
  return promise;
}

// netlinkReceive(fd, bytes): length — of the next datagram, which may be more than there was room for.
static napi_value netlink_receive(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  addon_args(env, info, MAX_ARGS, a);
  void *data = NULL;
  size_t length = 0;
  if (addon_bytes(env, a[1], &data, &length) < 0) return invalid(env);
  return addon_result(env, (int)recv(addon_int(env, a[0]), data, length, MSG_TRUNC));
}

// netlinkOption(fd, option, value) — an option of SOL_NETLINK.
static napi_value netlink_option(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  addon_args(env, info, MAX_ARGS, a);
  int value = addon_int(env, a[2]);
  return addon_result(env, setsockopt(addon_int(env, a[0]), SOL_NETLINK, addon_int(env, a[1]), &value, sizeof value));
}

// netlinkBuffer(fd, bytes) — room for what nobody has received yet; beyond the system's limit with NET_ADMIN only.
static napi_value netlink_buffer(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  addon_args(env, info, MAX_ARGS, a);
  int bytes = addon_int(env, a[1]);
  int fd = addon_int(env, a[0]);
  int result = setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  if (result < 0 && errno == EPERM) result = setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  return addon_result(env, result);
}

// netlinkFilter(fd, bytes) — what the socket receives at all: a program of `struct sock_filter`, which the kernel checks.
static napi_value netlink_filter(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  addon_args(env, info, MAX_ARGS, a);
  void *data = NULL;
  size_t length = 0;
  if (addon_bytes(env, a[1], &data, &length) < 0) return invalid(env);
  struct sock_fprog program = {.len = (unsigned short)(length / sizeof(struct sock_filter)), .filter = data};
  return addon_result(env, setsockopt(addon_int(env, a[0]), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
}

const struct addon_function netlink_functions[] = {
    {"netlinkSocket", netlink_socket},
    {"netlinkSend", netlink_send},
    {"netlinkSendAside", netlink_send_aside},
    {"netlinkReceive", netlink_receive},
    {"netlinkOption", netlink_option},
    {"netlinkBuffer", netlink_buffer},
    {"netlinkFilter", netlink_filter},
    {NULL, NULL},
};
