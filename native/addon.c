// The module: puts every file's functions on the exports object.
#include "addon.h"

#include <errno.h>

napi_value addon_result(napi_env env, int value) {
  napi_value out;
  napi_create_int32(env, value < 0 ? -errno : value, &out);
  return out;
}

void addon_args(napi_env env, napi_callback_info info, size_t count, napi_value *argv) {
  napi_get_cb_info(env, info, &count, argv, NULL, NULL);
}

int32_t addon_int(napi_env env, napi_value value) {
  int32_t out = 0;
  napi_get_value_int32(env, value, &out);
  return out;
}

int addon_bytes(napi_env env, napi_value value, void **data, size_t *length) {
  napi_typedarray_type type;
  if (napi_get_typedarray_info(env, value, &type, length, data, NULL, NULL) != napi_ok) return -1;
  return type == napi_uint8_array ? 0 : -1;
}

NAPI_MODULE_INIT() {
  const struct addon_function *const tables[] = {
      sockets_functions,
      netlink_functions,
      conntrack_functions,
      diag_functions,
      readiness_functions,
      relay_functions,
  };
  for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
    for (const struct addon_function *entry = tables[t]; entry->name != NULL; entry++) {
      napi_value function;
      napi_create_function(env, entry->name, NAPI_AUTO_LENGTH, entry->call, NULL, &function);
      napi_set_named_property(env, exports, entry->name, function);
    }
  }
  return exports;
}
