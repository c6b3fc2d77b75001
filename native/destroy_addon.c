// `destroy_sockets` for JavaScript, on a thread of Node's pool: a thousand sockets take some 20 ms.
#include <errno.h>
#include <stdlib.h>

#include "addon.h"
#include "destroy.h"

enum { MAX_ARGS = 2 };

struct destroying {
  const struct doomed_socket *sockets;
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

// destroySockets(list, results): Promise — `list` is a Uint8Array of `struct doomed_socket`, `results` an Int32Array with a
// place for each. Neither may be used meanwhile.
static napi_value destroy_listed(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS], promise, name;
  addon_args(env, info, MAX_ARGS, a);
  void *list = NULL, *results = NULL;
  size_t bytes = 0, places = 0;
  napi_typedarray_type type;
  int is_valid = addon_bytes(env, a[0], &list, &bytes) == 0;
  is_valid = is_valid && napi_get_typedarray_info(env, a[1], &type, &places, &results, NULL, NULL) == napi_ok;
  is_valid = is_valid && type == napi_int32_array && bytes == places * sizeof(struct doomed_socket);
  if (!is_valid) errno = EINVAL;
  struct destroying *destroying = is_valid ? calloc(1, sizeof *destroying) : NULL;
  if (destroying == NULL) return addon_result(env, -1);
  *destroying = (struct destroying){.sockets = list, .count = places, .results = results};
  napi_create_promise(env, &destroying->deferred, &promise);
  napi_create_reference(env, a[0], 1, &destroying->list);
  napi_create_reference(env, a[1], 1, &destroying->answers);
  napi_create_string_utf8(env, "destroy", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, NULL, name, destroy_aside, destroyed_aside, destroying, &destroying->work);
  napi_queue_async_work(env, destroying->work);
  return promise;
}

const struct addon_function destroy_functions[] = {{"destroySockets", destroy_listed}, {NULL, NULL}};
