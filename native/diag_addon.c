// `look_up_sockets` for JavaScript, and `destroy_sockets`: this on a thread of Node's pool, as a thousand sockets take some 20 ms.
#include <errno.h>
#include <stdlib.h>

#include "addon.h"
#include "destroy.h"
#include "look_up.h"

enum { MAX_ARGS = 2 };

struct destroying {
  const struct socket_handle *sockets;
  size_t count;
  int32_t *results;
  int result;
  napi_ref list, answers;
  napi_deferred deferred;
  napi_async_work work;
};

static void destroy_aside(napi_env env, void *argument) {
  (void)env;
  struct destroying *destroying = argument;
  destroying->result = destroy_sockets(destroying->sockets, destroying->count, destroying->results);
}

static void destroyed_aside(napi_env env, napi_status status, void *argument) {
  struct destroying *destroying = argument;
  napi_value result;
  napi_create_int32(env, status == napi_ok ? destroying->result : -ECANCELED, &result);
  napi_resolve_deferred(env, destroying->deferred, result);
  napi_delete_reference(env, destroying->list);
  napi_delete_reference(env, destroying->answers);
  napi_delete_async_work(env, destroying->work);
  free(destroying);
}

// A list of `struct socket_handle` as a Uint8Array, and a typed array with as many results of a kind. 0, or -1 where they are none.
static int lists(napi_env env, const napi_value a[MAX_ARGS], napi_typedarray_type of, size_t words, void **list,
                 size_t *count, void **results) {
  size_t bytes = 0, places = 0;
  napi_typedarray_type type;
  if (addon_bytes(env, a[0], list, &bytes) < 0) return -1;
  if (napi_get_typedarray_info(env, a[1], &type, &places, results, NULL, NULL) != napi_ok) return -1;
  *count = bytes / sizeof(struct socket_handle);
  return type == of && bytes % sizeof(struct socket_handle) == 0 && places == *count * words ? 0 : -1;
}

// lookUpSockets(list, facts) — `facts` is a Float64Array of `struct socket_facts`. The handles of what is found are in the list then.
static napi_value look_up(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  addon_args(env, info, MAX_ARGS, a);
  void *list = NULL, *facts = NULL;
  size_t count = 0;
  int result = -EINVAL;
  if (lists(env, a, napi_float64_array, sizeof(struct socket_facts) / sizeof(double), &list, &count, &facts) == 0)
    result = look_up_sockets(list, count, facts);
  errno = -result;
  return addon_result(env, result);
}

// destroySockets(list, results): Promise — `results` is an Int32Array with a place for each. Neither may be used meanwhile.
static napi_value destroy_listed(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS], promise, name;
  addon_args(env, info, MAX_ARGS, a);
  void *list = NULL, *results = NULL;
  size_t count = 0;
  int is_valid = lists(env, a, napi_int32_array, 1, &list, &count, &results) == 0;
  if (!is_valid) errno = EINVAL;
  struct destroying *destroying = is_valid ? calloc(1, sizeof *destroying) : NULL;
  if (destroying == NULL) return addon_result(env, -1);
  *destroying = (struct destroying){.sockets = list, .count = count, .results = results};
  napi_create_promise(env, &destroying->deferred, &promise);
  napi_create_reference(env, a[0], 1, &destroying->list);
  napi_create_reference(env, a[1], 1, &destroying->answers);
  napi_create_string_utf8(env, "destroy", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, NULL, name, destroy_aside, destroyed_aside, destroying, &destroying->work);
  napi_queue_async_work(env, destroying->work);
  return promise;
}

const struct addon_function diag_functions[] = {
    {"lookUpSockets", look_up},
    {"destroySockets", destroy_listed},
    {NULL, NULL},
};
