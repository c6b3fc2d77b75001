// `hold_thread TID`: one thread of another process stands still, ptrace(2), from when this says `held` until its standard input ends.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

int main(int argument_count, char **arguments) {
  if (argument_count != 2) return 2;
  pid_t thread = (pid_t)atoi(arguments[1]);
  int status;
  if (ptrace(PTRACE_SEIZE, thread, 0, 0) < 0) fail("PTRACE_SEIZE");
  if (ptrace(PTRACE_INTERRUPT, thread, 0, 0) < 0) fail("PTRACE_INTERRUPT");
  if (waitpid(thread, &status, __WALL) < 0) fail("waitpid");
  puts("held");
  fflush(stdout);
  while (getchar() != EOF) {
  }
  if (ptrace(PTRACE_DETACH, thread, 0, 0) < 0) fail("PTRACE_DETACH");
  return 0;
}
