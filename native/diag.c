#define _GNU_SOURCE
#include "diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
  // It counts up to 4 KiB for an answer, and takes twice what it is given.
  ANSWERS_BYTES = 256 * 1024,
  // The header of an answer, `inet_diag_msg` and `tcp_info`, with room to spare: what comes after that is of no interest.
  ANSWER_BYTES = 1024,
};

struct request {
  struct nlmsghdr header;
  struct inet_diag_req_v2 body;
};

union answer {
  struct nlmsghdr header;  // for its alignment
  uint8_t bytes[ANSWER_BYTES];
};

_Static_assert(sizeof(struct socket_handle) == 52, "JavaScript writes lists of them");
_Static_assert(sizeof(((struct socket_handle *)0)->id) == sizeof(struct inet_diag_sockid), "an id is the kernel's");
_Static_assert(sizeof(struct request) % NLMSG_ALIGNTO == 0, "requests follow one another without gaps");

int diag_open(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return -errno;
  int bytes = ANSWERS_BYTES, on = 1;
  // Who lacks NET_ADMIN gets what the system allows: all its orders are answered with EPERM.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);  // only spares bytes
  return fd;
}

static int send_requests(int fd, const struct diag_kind *kind, const struct socket_handle *sockets, size_t count) {
  struct request requests[DIAG_AT_ONCE];
  memset(requests, 0, sizeof requests);
  for (size_t i = 0; i < count; i++) {
    requests[i].header = (struct nlmsghdr){
        .nlmsg_len = sizeof(struct request),
        .nlmsg_type = kind->type,
        .nlmsg_flags = kind->flags | NLM_F_REQUEST,
        .nlmsg_seq = (uint32_t)i,
    };
    requests[i].body.sdiag_family = sockets[i].family;
    requests[i].body.sdiag_protocol = IPPROTO_TCP;
    requests[i].body.idiag_ext = kind->extensions;
    requests[i].body.idiag_states = ~0U;  // the socket is named: its state counts for nothing
    memcpy(&requests[i].body.id, sockets[i].id, sizeof sockets[i].id);
  }
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  ssize_t sent = sendto(fd, requests, count * sizeof *requests, 0, (struct sockaddr *)&kernel, sizeof kernel);
  return sent < 0 ? -errno : 0;
}

// Answers come in the order of the requests, each in a datagram of its own; all are there when the kernel has taken these.
static int take_answers(int fd, const struct diag_kind *kind, size_t from, size_t count, void *results) {
  union answer answers[DIAG_AT_ONCE];
  struct iovec places[DIAG_AT_ONCE];
  struct mmsghdr messages[DIAG_AT_ONCE];
  memset(messages, 0, sizeof messages);
  for (size_t i = 0; i < count; i++) {
    places[i] = (struct iovec){.iov_base = answers[i].bytes, .iov_len = sizeof answers[i].bytes};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &places[i], .msg_iovlen = 1};
  }
  for (size_t have = 0; have < count;) {
    int taken = recvmmsg(fd, messages + have, (unsigned)(count - have), 0, NULL);
    if (taken < 0) return -errno;
    for (size_t end = have + (size_t)taken; have < end; have++) {
      const struct nlmsghdr *header = &answers[have].header;
      size_t length = messages[have].msg_len;
      if (length < NLMSG_HDRLEN || header->nlmsg_seq != have) return -EPROTO;
      if (header->nlmsg_len < length) length = header->nlmsg_len;
      int read = kind->read(results, from + have, header, length);
      if (read < 0) return read;
    }
  }
  return 0;
}

int diag_ask_by(int fd, const struct diag_kind *kind, const struct socket_handle *sockets, size_t count, void *results) {
  int result = 0;
  for (size_t from = 0; from < count && result == 0; from += DIAG_AT_ONCE) {
    size_t piece = count - from < DIAG_AT_ONCE ? count - from : DIAG_AT_ONCE;
    result = send_requests(fd, kind, sockets + from, piece);
    if (result == 0) result = take_answers(fd, kind, from, piece, results);
  }
  return result;
}
