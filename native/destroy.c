#define _GNU_SOURCE
#include "destroy.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  // Requests in one datagram: the kernel answers each while it takes the datagram, and has to have room for that.
  AT_ONCE = 64,
  // It counts up to 4 KiB for an answer, and takes twice what it is given.
  ANSWERS_BYTES = 256 * 1024,
  // A header, an error number and the header of the request, with room to spare.
  ANSWER_BYTES = 512,
};

struct order {
  struct nlmsghdr header;
  struct inet_diag_req_v2 request;
};

_Static_assert(sizeof(struct doomed_socket) == 52, "JavaScript writes lists of them");
_Static_assert(sizeof(((struct doomed_socket *)0)->id) == sizeof(struct inet_diag_sockid), "an id is the kernel's");
_Static_assert(sizeof(struct order) % NLMSG_ALIGNTO == 0, "orders follow one another without gaps");

static int open_diag(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return -errno;
  int bytes = ANSWERS_BYTES, on = 1;
  // Who lacks NET_ADMIN gets what the system allows: all its answers say EPERM.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);  // only spares bytes
  return fd;
}

static int order_all(int fd, const struct doomed_socket *sockets, size_t count) {
  struct order orders[AT_ONCE];
  memset(orders, 0, sizeof orders);
  for (size_t i = 0; i < count; i++) {
    orders[i].header = (struct nlmsghdr){
        .nlmsg_len = sizeof(struct order),
        .nlmsg_type = SOCK_DESTROY,
        .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
        .nlmsg_seq = (uint32_t)i,
    };
    orders[i].request.sdiag_family = sockets[i].family;
    orders[i].request.sdiag_protocol = IPPROTO_TCP;
    orders[i].request.idiag_states = ~0U;  // the socket is named: its state counts for nothing
    memcpy(&orders[i].request.id, sockets[i].id, sizeof sockets[i].id);
  }
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  ssize_t sent = sendto(fd, orders, count * sizeof *orders, 0, (struct sockaddr *)&kernel, sizeof kernel);
  return sent < 0 ? -errno : 0;
}

// Answers come in the order of the requests; all are there when the kernel has taken these.
static int take_answers(int fd, size_t count, int32_t *results) {
  union {
    struct nlmsghdr header;  // for its alignment
    uint8_t bytes[ANSWER_BYTES];
  } answer;
  for (size_t have = 0; have < count;) {
    ssize_t length = recv(fd, answer.bytes, sizeof answer.bytes, 0);
    if (length < 0) return -errno;
    const struct nlmsghdr *header = &answer.header;
    for (size_t left = (size_t)length; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      int is_answer = header->nlmsg_type == NLMSG_ERROR && header->nlmsg_len >= NLMSG_LENGTH(sizeof(int));
      if (!is_answer || header->nlmsg_seq != have || have == count) return -EPROTO;
      results[have++] = ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
    }
  }
  return 0;
}

int destroy_sockets(const struct doomed_socket *sockets, size_t count, int32_t *results) {
  int fd = open_diag();
  if (fd < 0) return fd;
  int result = 0;
  for (size_t from = 0; from < count && result == 0; from += AT_ONCE) {
    size_t piece = count - from < AT_ONCE ? count - from : AT_ONCE;
    result = order_all(fd, sockets + from, piece);
    if (result == 0) result = take_answers(fd, piece, results + from);
  }
  close(fd);
  return result;
}
