// What the addon's files share: each family of calls is one file with a table of functions, listed in addon.c.
#pragma once
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

struct addon_function {
  const char *name;
  napi_callback call;
};

// Tables end with a NULL name.
extern const struct addon_function sockets_functions[];
extern const struct addon_function netlink_functions[];
extern const struct addon_function conntrack_functions[];
extern const struct addon_function diag_functions[];
extern const struct addon_function readiness_functions[];
extern const struct addon_function relay_functions[];

// `value`, or -errno where it is negative.
napi_value addon_result(napi_env env, int value);

// Reads `count` arguments; missing ones are undefined.
void addon_args(napi_env env, napi_callback_info info, size_t count, napi_value *argv);

// An integer argument; wrong types become 0, which the callers' validation in TypeScript has excluded.
int32_t addon_int(napi_env env, napi_value value);

// The bytes of a Uint8Array argument; -1 for anything else.
int addon_bytes(napi_env env, napi_value value, void **data, size_t *length);
