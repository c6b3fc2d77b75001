// For LD_PRELOAD: a program that opens a socket of TCP gets one of MPTCP, socket(2). Servers in Go do so by themselves.
#define _GNU_SOURCE
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

int socket(int family, int type, int protocol) {
  int is_stream = (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM;
  int is_tcp = (family == AF_INET || family == AF_INET6) && (protocol == 0 || protocol == IPPROTO_TCP);
  return (int)syscall(SYS_socket, family, type, is_stream && is_tcp ? IPPROTO_MPTCP : protocol);
}
