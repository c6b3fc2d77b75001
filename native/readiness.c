// Says when datagrams wait in sockets, so that nobody has to look while there are none: a thread of its own waits for them.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "addon.h"

enum { SOCKETS_MAX = 4, STACK_BYTES = 64 * 1024 };

// What the thread is asked for; the values of an eventfd are added up.
#define ARM UINT64_C(1)
#define STOP (UINT64_C(1) << 32)

struct readiness {
  int orders;  // a blocking eventfd; -1 once closed
  pthread_t thread;
  napi_threadsafe_function notify;
  size_t count;                           // of sockets
  struct pollfd places[SOCKETS_MAX + 1];  // the last one is `orders`
};

// Waits to be asked, then for a datagram, or an error to be received. Another order ends that wait.
static void *wait_for_datagrams(void *argument) {
  struct readiness *readiness = argument;
  pthread_setname_np(pthread_self(), "sluice-ready");
  for (;;) {
    uint64_t asked = 0;
    if (read(readiness->orders, &asked, sizeof asked) != sizeof asked) continue;
    if (asked >= STOP) return NULL;
    int found = poll(readiness->places, readiness->count + 1, -1);
    if (found > 0 && readiness->places[readiness->count].revents != 0) continue;
    napi_call_threadsafe_function(readiness->notify, NULL, napi_tsfn_nonblocking);
  }
}

static int start_thread(struct readiness *readiness) {
  // Signals are Node's: this thread takes none.
  sigset_t all, before;
  pthread_attr_t attributes;
  sigfillset(&all);
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&readiness->thread, &attributes, wait_for_datagrams, readiness);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return error;
}

static void order(const struct readiness *readiness, uint64_t what) {
  ssize_t written = write(readiness->orders, &what, sizeof what);
  (void)written;  // fails only where 2^64 - 1 orders wait
}

// Also when Node ends without having closed it: before the memory and the function go.
static void stop(void *argument) {
  struct readiness *readiness = argument;
  if (readiness->orders < 0) return;
  order(readiness, STOP);
  pthread_join(readiness->thread, NULL);
  close(readiness->orders);
  readiness->orders = -1;
}

static struct readiness *handle_of(napi_env env, napi_value value) {
  void *data = NULL;
  napi_get_value_external(env, value, &data);
  return data;
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  free(data);
}

static napi_value failed(napi_env env, struct readiness *readiness, int error) {
  if (readiness != NULL && readiness->orders >= 0) close(readiness->orders);
  free(readiness);
  errno = error;
  return addon_result(env, -1);
}

// readinessStart(fds: Int32Array, notify: () => void): handle | -errno — does not keep the process alive.
static napi_value start(napi_env env, napi_callback_info info) {
  napi_value a[2], name, out;
  addon_args(env, info, 2, a);
  napi_typedarray_type type;
  size_t count = 0;
  void *fds = NULL;
  if (napi_get_typedarray_info(env, a[0], &type, &count, &fds, NULL, NULL) != napi_ok) return failed(env, NULL, EINVAL);
  if (type != napi_int32_array || count == 0 || count > SOCKETS_MAX) return failed(env, NULL, EINVAL);
  struct readiness *readiness = calloc(1, sizeof *readiness);
  if (readiness == NULL) return failed(env, NULL, ENOMEM);
  readiness->orders = eventfd(0, EFD_CLOEXEC);
  if (readiness->orders < 0) return failed(env, readiness, errno);
  readiness->count = count;
  for (size_t i = 0; i < count; i++)
    readiness->places[i] = (struct pollfd){.fd = ((const int32_t *)fds)[i], .events = POLLIN};
  readiness->places[count] = (struct pollfd){.fd = readiness->orders, .events = POLLIN};
  napi_create_string_utf8(env, "sluice-readiness", NAPI_AUTO_LENGTH, &name);
  if (napi_create_threadsafe_function(env, a[1], NULL, name, 0, 1, NULL, NULL, NULL, NULL, &readiness->notify) != napi_ok)
    return failed(env, readiness, ENOMEM);
  napi_unref_threadsafe_function(env, readiness->notify);
  int error = start_thread(readiness);
  if (error != 0) {
    napi_release_threadsafe_function(readiness->notify, napi_tsfn_abort);
    return failed(env, readiness, error);
  }
  napi_add_env_cleanup_hook(env, stop, readiness);
  napi_create_external(env, readiness, finalize, NULL, &out);
  return out;
}

// readinessArm(handle) — one call of `notify` follows as soon as something waits, also if it waits already.
static napi_value arm(napi_env env, napi_callback_info info) {
  napi_value a[1];
  addon_args(env, info, 1, a);
  const struct readiness *readiness = handle_of(env, a[0]);
  if (readiness->orders >= 0) order(readiness, ARM);
  return NULL;
}

// readinessClose(handle) — ends the thread, before the sockets are closed; the handle does nothing from here on.
static napi_value close_readiness(napi_env env, napi_callback_info info) {
  napi_value a[1];
  addon_args(env, info, 1, a);
  struct readiness *readiness = handle_of(env, a[0]);
  if (readiness->orders < 0) return NULL;
  stop(readiness);
  napi_remove_env_cleanup_hook(env, stop, readiness);
  napi_release_threadsafe_function(readiness->notify, napi_tsfn_abort);
  return NULL;
}

const struct addon_function readiness_functions[] = {
    {"readinessStart", start},
    {"readinessArm", arm},
    {"readinessClose", close_readiness},
    {NULL, NULL},
};
