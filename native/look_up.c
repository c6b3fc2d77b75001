#define _GNU_SOURCE
#include "look_up.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(struct socket_facts) == 4 * sizeof(double), "JavaScript reads lists of them");

struct found {
  struct socket_handle *sockets;
  struct socket_facts *facts;
};

// Kernels before 4.19 say nothing of retransmitted bytes: nothing counts then.
static void read_info(const struct rtattr *attribute, struct socket_facts *facts) {
  enum { NEEDED_BYTES = offsetof(struct tcp_info, tcpi_bytes_retrans) + sizeof(__u64) };
  struct tcp_info info;
  if (RTA_PAYLOAD(attribute) < NEEDED_BYTES) return;
  memcpy(&info, RTA_DATA(attribute), NEEDED_BYTES);
  facts->sent = (double)(info.tcpi_bytes_sent - info.tcpi_bytes_retrans);
  facts->received = (double)info.tcpi_bytes_received;
}

static int read_socket(void *results, size_t index, const struct nlmsghdr *answer, size_t length) {
  const struct found *found = results;
  struct socket_facts *facts = &found->facts[index];
  *facts = (struct socket_facts){0};
  if (answer->nlmsg_type == NLMSG_ERROR) {
    if (length < NLMSG_LENGTH(sizeof(int))) return -EPROTO;
    facts->state = ((const struct nlmsgerr *)NLMSG_DATA(answer))->error;
    return 0;
  }
  if (length < NLMSG_LENGTH(sizeof(struct inet_diag_msg))) return -EPROTO;
  const struct inet_diag_msg *message = NLMSG_DATA(answer);
  facts->state = message->idiag_state;
  facts->has_process = message->idiag_inode != 0;
  found->sockets[index].family = message->idiag_family;
  memcpy(found->sockets[index].id, &message->id, sizeof message->id);
  const struct rtattr *attribute = (const void *)(message + 1);
  size_t left = length - NLMSG_LENGTH(sizeof *message);
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
    if (attribute->rta_type == INET_DIAG_INFO) read_info(attribute, facts);
  return 0;
}

int look_up_sockets_by(int fd, struct socket_handle *sockets, size_t count, struct socket_facts *facts) {
  const struct diag_kind kind = {
      .type = SOCK_DIAG_BY_FAMILY,
      .extensions = 1 << (INET_DIAG_INFO - 1),
      .read = read_socket,
  };
  struct found found = {.sockets = sockets, .facts = facts};
  return diag_ask_by(fd, &kind, sockets, count, &found);
}

int look_up_sockets(struct socket_handle *sockets, size_t count, struct socket_facts *facts) {
  int fd = diag_open();
  if (fd < 0) return fd;
  int result = look_up_sockets_by(fd, sockets, count, facts);
  close(fd);
  return result;
}
