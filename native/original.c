#define _GNU_SOURCE
#include "original.h"

#include <netinet/in.h>
#include <string.h>

// linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h; the headers clash with those of the libc.
enum { ORIGINAL_DESTINATION = 80 };

void original_destination(int fd, struct sockaddr_storage *destination) {
  struct sockaddr_storage found = {0};
  socklen_t size = sizeof found;
  int level = destination->ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
  if (getsockopt(fd, level, ORIGINAL_DESTINATION, &found, &size) == 0) memcpy(destination, &found, size);
}
