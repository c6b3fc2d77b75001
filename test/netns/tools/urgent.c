// A connection with an urgent byte, send(2) MSG_OOB, which Node cannot send or read.
// `urgent serve PORT in-line|apart`: says `listening`, takes one connection, and says what its stream was, then `urgent X` for a
// byte that came apart from it.
// `urgent send LOCAL HOST PORT`: sends `ab`, urgent `!`, `cd`, and its end; returns when the other side has ended too.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STREAM_BYTES = 16, PAUSE_US = 100 * 1000 };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static struct sockaddr_in at(const char *host, const char *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) fail(host);
  return address;
}

static void serve(const char *port, int in_line) {
  int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in address = at("0.0.0.0", port);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, SOL_SOCKET, SO_OOBINLINE, &in_line, sizeof in_line);  // passes to what is accepted
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0) fail("listen");
  puts("listening");
  fflush(stdout);
  int fd = accept(listener, NULL, NULL);
  if (fd < 0) fail("accept");
  char stream[STREAM_BYTES] = "", urgent = 0;
  size_t length = 0;
  for (ssize_t got = 1; got > 0;) {
    struct pollfd ready = {.fd = fd, .events = urgent == 0 && !in_line ? POLLIN | POLLPRI : POLLIN};
    if (poll(&ready, 1, -1) < 0) fail("poll");
    if (ready.revents & POLLPRI) {
      if (recv(fd, &urgent, 1, MSG_OOB) != 1) fail("recv MSG_OOB");
      continue;
    }
    got = recv(fd, stream + length, sizeof stream - 1 - length, 0);
    length += got > 0 ? (size_t)got : 0;
  }
  puts(stream);
  if (urgent != 0) printf("urgent %c\n", urgent);
  close(fd);
}

static void send_text(int fd, const char *text, int flags) {
  if (send(fd, text, strlen(text), flags) != (ssize_t)strlen(text)) fail("send");
  usleep(PAUSE_US);  // each in a segment of its own
}

static void talk(const char *local, const char *host, const char *port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in from = at(local, "0"), to = at(host, port);
  if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
    fail("connect");
  send_text(fd, "ab", 0);
  send_text(fd, "!", MSG_OOB);
  send_text(fd, "cd", 0);
  shutdown(fd, SHUT_WR);
  char rest;
  while (recv(fd, &rest, 1, 0) > 0) {
  }
  close(fd);
}

int main(int count, char **arguments) {
  if (count == 4 && strcmp(arguments[1], "serve") == 0) serve(arguments[2], strcmp(arguments[3], "in-line") == 0);
  else if (count == 5 && strcmp(arguments[1], "send") == 0) talk(arguments[2], arguments[3], arguments[4]);
  else return 2;
  return 0;
}
