// `look_up_sockets` for JavaScript, and `destroy_sockets` and `destroy_found`: these on a thread of Node's pool, as a thousand sockets take
// some 20 ms.
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "addon.h"
#include "destroy.h"
#include "look_up.h"

enum { MAX_ARGS = 5 };

struct destroying {
  struct socket_handle *sockets;
  size_t count;
  struct spared_states spared;
  struct socket_facts *facts;  // NULL: the list says which sockets are meant, and none is looked up
  int32_t *results;
  int result;
  napi_ref list, found, answers;  // `found` of `facts`, if there are any
  napi_deferred deferred;
  napi_async_work work;
};

static void destroy_aside(napi_env env, void *argument) {
  (void)env;
  struct destroying *d = argument;
  d->result = d->facts == NULL ? destroy_sockets(d->sockets, d->count, d->results)
                               : destroy_found(d->sockets, d->count, d->spared, d->facts, d->results);
}

static void destroyed_aside(napi_env env, napi_status status, void *argument) {
  struct destroying *destroying = argument;
  napi_value result;
  napi_create_int32(env, status == napi_ok ? destroying->result : -ECANCELED, &result);
  napi_resolve_deferred(env, destroying->deferred, result);
  napi_delete_reference(env, destroying->list);
  if (destroying->facts != NULL) napi_delete_reference(env, destroying->found);
  napi_delete_reference(env, destroying->answers);
  napi_delete_async_work(env, destroying->work);
  free(destroying);
}

// A list of `struct socket_handle` as a Uint8Array. 0, or -1 where it is none.
static int handles(napi_env env, napi_value value, void **list, size_t *count) {
  size_t bytes = 0;
  if (addon_bytes(env, value, list, &bytes) < 0) return -1;
  *count = bytes / sizeof(struct socket_handle);
  return bytes % sizeof(struct socket_handle) == 0 ? 0 : -1;
}

// A typed array with so many places. 0, or -1 where it is none.
static int places(napi_env env, napi_value value, napi_typedarray_type of, size_t wanted, void **results) {
  size_t found = 0;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(env, value, &type, &found, results, NULL, NULL) != napi_ok) return -1;
  return type == of && found == wanted ? 0 : -1;
}

enum { FACTS = sizeof(struct socket_facts) / sizeof(double) };

// lookUpSockets(list, facts) — `facts` is a Float64Array of `struct socket_facts`. The handles of what is found are in the list then.
static napi_value look_up(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  addon_args(env, info, MAX_ARGS, a);
  void *list = NULL, *facts = NULL;
  size_t count = 0;
  int result = -EINVAL;
  if (handles(env, a[0], &list, &count) == 0 && places(env, a[1], napi_float64_array, count * FACTS, &facts) == 0)
    result = look_up_sockets(list, count, facts);
  errno = -result;
  return addon_result(env, result);
}

// Keeps the arrays alive, and begins. @param found of the facts, if there are any
static napi_value begin_destroying(napi_env env, struct destroying asked, napi_value list, napi_value found,
                                   napi_value answers) {
  struct destroying *destroying = calloc(1, sizeof *destroying);
  if (destroying == NULL) return addon_result(env, -1);
  *destroying = asked;
  napi_value promise, name;
  napi_create_promise(env, &destroying->deferred, &promise);
  napi_create_reference(env, list, 1, &destroying->list);
  if (asked.facts != NULL) napi_create_reference(env, found, 1, &destroying->found);
  napi_create_reference(env, answers, 1, &destroying->answers);
  napi_create_string_utf8(env, "destroy", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, NULL, name, destroy_aside, destroyed_aside, destroying, &destroying->work);
  napi_queue_async_work(env, destroying->work);
  return promise;
}

// destroySockets(list, results): Promise — `results` is an Int32Array with a place for each. Neither may be used meanwhile.
static napi_value destroy_listed(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  addon_args(env, info, MAX_ARGS, a);
  void *list = NULL, *results = NULL;
  size_t count = 0;
  if (handles(env, a[0], &list, &count) < 0 || places(env, a[1], napi_int32_array, count, &results) < 0) {
    errno = EINVAL;
    return addon_result(env, -1);
  }
  struct destroying asked = {.sockets = list, .count = count, .results = results};
  return begin_destroying(env, asked, a[0], NULL, a[1]);
}

// destroyFound(list, facts, results, always, left): Promise — `facts` as of lookUpSockets, `results` as of destroySockets; the masks say which sockets stay.
static napi_value destroy_looked_up(napi_env env, napi_callback_info info) {
  napi_value a[MAX_ARGS];
  addon_args(env, info, MAX_ARGS, a);
  void *list = NULL, *facts = NULL, *results = NULL;
  size_t count = 0;
  struct spared_states spared = {0};
  bool is_valid = handles(env, a[0], &list, &count) == 0 && count > 0 &&
                  places(env, a[1], napi_float64_array, count * FACTS, &facts) == 0 &&
                  places(env, a[2], napi_int32_array, count, &results) == 0 &&
                  napi_get_value_uint32(env, a[3], &spared.always) == napi_ok &&
                  napi_get_value_uint32(env, a[4], &spared.left) == napi_ok;
  if (!is_valid) {
    errno = EINVAL;
    return addon_result(env, -1);
  }
  struct destroying asked = {.sockets = list, .count = count, .spared = spared, .facts = facts, .results = results};
  return begin_destroying(env, asked, a[0], a[1], a[2]);
}

const struct addon_function diag_functions[] = {
    {"lookUpSockets", look_up},
    {"destroySockets", destroy_listed},
    {"destroyFound", destroy_looked_up},
    {NULL, NULL},
};
