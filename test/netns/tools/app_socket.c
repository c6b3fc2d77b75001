// One TCP connection between sockets with options that Node does not set.
// `app_socket serve HOST PORT [OPTION…]`: says `listening`, takes one connection, says `from HOST PORT`, answers what it
// reads, and says how the connection ended: `end`, or the error. Options: `device NAME` (SO_BINDTODEVICE), `key HOST` (TCP_MD5SIG, with
// this peer), `keepalive` (a probe after a second of silence; after two more without an answer it gives up), `fast-open` (TCP_FASTOPEN).
// `app_socket connect LOCAL HOST PORT [OPTION…]`: says `connected PORT`, with its own port, `echoed`, and how it ended; or the error.
// Options: `key HOST`, `fast-open-connect` (what it sends goes with the SYN, and it says `connected` before that).
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CONNECT_SECONDS = 2, PROBE_SECONDS = 1, PROBES = 2, BUFFER_BYTES = 4096, FAST_OPEN_QUEUE = 16 };

static const char SECRET[] = "secret of both";

static void say(const char *text) {
  puts(text);
  fflush(stdout);
}

static void fail(void) {
  say(strerrorname_np(errno == EINPROGRESS ? ETIMEDOUT : errno));  // connect(2) within SO_SNDTIMEO
  exit(0);
}

static socklen_t resolve(const char *host, const char *port, struct sockaddr_storage *address) {
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;
  if (getaddrinfo(host, port, &hints, &found) != 0) exit(2);
  socklen_t length = found->ai_addrlen;
  memcpy(address, found->ai_addr, length);
  freeaddrinfo(found);
  return length;
}

static void set(int fd, int level, int option, int value) {
  if (setsockopt(fd, level, option, &value, sizeof value) < 0) fail();
}

static int open_socket(const struct sockaddr_storage *address, char **options) {
  int fd = socket(address->ss_family, SOCK_STREAM, 0);
  if (fd < 0) fail();
  for (; *options != NULL; options += 1) {
    if (strcmp(*options, "keepalive") == 0) {
      set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
      set(fd, IPPROTO_TCP, TCP_KEEPIDLE, PROBE_SECONDS);
      set(fd, IPPROTO_TCP, TCP_KEEPINTVL, PROBE_SECONDS);
      set(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
    } else if (strcmp(*options, "fast-open") == 0) {
      set(fd, IPPROTO_TCP, TCP_FASTOPEN, FAST_OPEN_QUEUE);
    } else if (strcmp(*options, "fast-open-connect") == 0) {
      set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
    } else if (strcmp(*options, "device") == 0) {
      options += 1;
      if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, *options, (socklen_t)strlen(*options)) < 0) fail();
    } else if (strcmp(*options, "key") == 0) {
      options += 1;
      struct tcp_md5sig key = {.tcpm_keylen = sizeof SECRET - 1};
      memcpy(key.tcpm_key, SECRET, sizeof SECRET - 1);
      resolve(*options, "0", &key.tcpm_addr);
      if (setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key) < 0) fail();
    } else {
      exit(2);
    }
  }
  return fd;
}

static void end_of(ssize_t got) {
  say(got < 0 ? strerrorname_np(errno) : "end");
}

static void serve(const char *host, const char *port, char **options) {
  struct sockaddr_storage address;
  socklen_t length = resolve(host, port, &address);
  int listener = open_socket(&address, options);
  set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
  if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 1) < 0) fail();
  say("listening");
  struct sockaddr_storage peer;
  socklen_t size = sizeof peer;
  int fd = accept(listener, (struct sockaddr *)&peer, &size);
  char name[NI_MAXHOST], number[NI_MAXSERV], buffer[BUFFER_BYTES];
  if (fd < 0) fail();
  getnameinfo((struct sockaddr *)&peer, size, name, sizeof name, number, sizeof number, NI_NUMERICHOST | NI_NUMERICSERV);
  printf("from %s %s\n", name, number);
  fflush(stdout);
  ssize_t got;
  while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0) {
    if (send(fd, buffer, (size_t)got, MSG_NOSIGNAL) < 0) fail();
  }
  end_of(got);
}

static void talk(const char *local, const char *host, const char *port, char **options) {
  struct sockaddr_storage from, to, own;
  socklen_t from_length = resolve(local, "0", &from), length = resolve(host, port, &to), size = sizeof own;
  int fd = open_socket(&to, options);
  struct timeval patience = {.tv_sec = CONNECT_SECONDS};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (bind(fd, (struct sockaddr *)&from, from_length) < 0 || connect(fd, (struct sockaddr *)&to, length) < 0) fail();
  char number[NI_MAXSERV], buffer[BUFFER_BYTES];
  getsockname(fd, (struct sockaddr *)&own, &size);
  getnameinfo((struct sockaddr *)&own, size, NULL, 0, number, sizeof number, NI_NUMERICSERV);
  printf("connected %s\n", number);
  fflush(stdout);
  if (send(fd, "hello", 5, MSG_NOSIGNAL) < 0) fail();
  ssize_t got;
  while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0) say("echoed");
  end_of(got);
}

int main(int count, char **arguments) {
  if (count >= 4 && strcmp(arguments[1], "serve") == 0) serve(arguments[2], arguments[3], arguments + 4);
  else if (count >= 5 && strcmp(arguments[1], "connect") == 0)
    talk(arguments[2], arguments[3], arguments[4], arguments + 5);
  else return 2;
  return 0;
}
