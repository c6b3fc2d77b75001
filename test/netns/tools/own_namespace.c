// For tests: moves the calling thread, and what it starts from then on, into a network namespace of its own, unshare(2).
// It is gone with the process.
#define _GNU_SOURCE
#include <errno.h>
#include <node_api.h>
#include <sched.h>

static napi_value enter(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value out;
  napi_create_int32(env, unshare(CLONE_NEWNET) < 0 ? -errno : 0, &out);
  return out;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "enter", NAPI_AUTO_LENGTH, enter, NULL, &function);
  napi_set_named_property(env, exports, "enter", function);
  return exports;
}
