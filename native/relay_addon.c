// The relay's functions for JavaScript. relay.ts alone calls them, so of the arguments only the number of listeners is checked.
// Buffers are typed arrays whose layout is that of the structures in relay.h.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"
#include "relay.h"

struct handle {
  struct relay *relay;  // NULL once closed
  napi_threadsafe_function notify;
};

static void notify(void *argument) {
  struct handle *handle = argument;
  napi_call_threadsafe_function(handle->notify, NULL, napi_tsfn_nonblocking);
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  free(data);
}

static struct handle *handle_of(napi_env env, napi_value value) {
  void *data = NULL;
  napi_get_value_external(env, value, &data);
  return data;
}

static void *bytes_of(napi_env env, napi_value value) {
  void *data = NULL;
  napi_get_typedarray_info(env, value, NULL, NULL, &data, NULL, NULL);
  return data;
}

static napi_value number(napi_env env, double value) {
  napi_value out;
  napi_create_double(env, value, &out);
  return out;
}

// relayStart(options: Uint32Array, notify: () => void): handle | -errno — options in the order of struct relay_options.
static napi_value start(napi_env env, napi_callback_info info) {
  napi_value a[2], name, out;
  addon_args(env, info, 2, a);
  const uint32_t *given = bytes_of(env, a[0]);
  struct relay_options options = {
      .first_port = given[0],
      .last_port = given[1],
      .mark = given[2],
      .connect_timeout_ms = given[3],
      .keepalive_seconds = given[4],
      .keepalive_interval_seconds = given[5],
      .keepalive_probes = given[6],
      .max_flows = given[7],
      .max_pipes = given[8],
      .max_untaken = given[9],
      .max_held_kib = given[10],
      .idle_seconds = given[11],
      .own_ports = {given[12], given[13]},
      .listener_count = given[14],
  };
  if (options.listener_count > RELAY_LISTENERS) return number(env, -EINVAL);
  for (uint32_t i = 0; i < options.listener_count; i++) options.listeners[i] = (int)given[15 + i];
  struct handle *handle = calloc(1, sizeof *handle);
  if (handle == NULL) return number(env, -ENOMEM);
  napi_create_string_utf8(env, "sluice-relay", NAPI_AUTO_LENGTH, &name);
  if (napi_create_threadsafe_function(env, a[1], NULL, name, 0, 1, NULL, NULL, NULL, NULL, &handle->notify) != napi_ok) {
    free(handle);
    return number(env, -ENOMEM);
  }
  handle->relay = relay_start(&options, notify, handle);
  if (handle->relay == NULL) {
    int error = errno;
    napi_release_threadsafe_function(handle->notify, napi_tsfn_abort);
    free(handle);
    return number(env, -error);
  }
  napi_create_external(env, handle, finalize, NULL, &out);
  return out;
}

// relayTake(handle, events: Uint8Array): count
static napi_value take(napi_env env, napi_callback_info info) {
  napi_value a[2];
  addon_args(env, info, 2, a);
  struct handle *handle = handle_of(env, a[0]);
  void *data = NULL;
  size_t length = 0;
  napi_get_typedarray_info(env, a[1], NULL, &length, &data, NULL, NULL);
  if (handle->relay == NULL) return number(env, 0);
  return number(env, (double)relay_take(handle->relay, data, length / sizeof(struct relay_event)));
}

// relaySubmit(handle, commands: Uint32Array, count)
static napi_value submit(napi_env env, napi_callback_info info) {
  napi_value a[3];
  addon_args(env, info, 3, a);
  struct handle *handle = handle_of(env, a[0]);
  if (handle->relay != NULL) relay_submit(handle->relay, bytes_of(env, a[1]), (size_t)addon_int(env, a[2]));
  return NULL;
}

// relayForget(handle): epoch
static napi_value forget(napi_env env, napi_callback_info info) {
  napi_value a[1];
  addon_args(env, info, 1, a);
  struct handle *handle = handle_of(env, a[0]);
  return number(env, handle->relay == NULL ? 0 : relay_forget(handle->relay));
}

// relayTrustGate(handle, in force: 0 or 1)
static napi_value trust_gate(napi_env env, napi_callback_info info) {
  napi_value a[2];
  addon_args(env, info, 2, a);
  struct handle *handle = handle_of(env, a[0]);
  if (handle->relay != NULL) relay_trust_gate(handle->relay, addon_int(env, a[1]) != 0);
  return NULL;
}

// relayBytes(handle, slot, generation, out: Float64Array): 1 and out = [from source, from destination, relaying], or 0
static napi_value bytes(napi_env env, napi_callback_info info) {
  napi_value a[4];
  addon_args(env, info, 4, a);
  struct handle *handle = handle_of(env, a[0]);
  uint32_t slot = 0, generation = 0;
  napi_get_value_uint32(env, a[1], &slot);
  napi_get_value_uint32(env, a[2], &generation);
  uint64_t counts[2];
  bool relaying = false;
  if (handle->relay == NULL || !relay_bytes(handle->relay, slot, generation, counts, &relaying)) return number(env, 0);
  double *out = bytes_of(env, a[3]);
  out[0] = (double)counts[0];
  out[1] = (double)counts[1];
  out[2] = relaying;
  return number(env, 1);
}

// relayStopAccepting(handle)
static napi_value stop_accepting(napi_env env, napi_callback_info info) {
  napi_value a[1];
  addon_args(env, info, 1, a);
  struct handle *handle = handle_of(env, a[0]);
  if (handle->relay != NULL) relay_stop_accepting(handle->relay);
  return NULL;
}

// relayClose(handle) — ends the thread; the handle stays valid and does nothing from here on.
static napi_value close_relay(napi_env env, napi_callback_info info) {
  napi_value a[1];
  addon_args(env, info, 1, a);
  struct handle *handle = handle_of(env, a[0]);
  if (handle->relay == NULL) return NULL;
  relay_close(handle->relay);
  handle->relay = NULL;
  napi_release_threadsafe_function(handle->notify, napi_tsfn_abort);
  return NULL;
}

const struct addon_function relay_functions[] = {
    {"relayStart", start},
    {"relayTake", take},
    {"relaySubmit", submit},
    {"relayForget", forget},
    {"relayTrustGate", trust_gate},
    {"relayBytes", bytes},
    {"relayStopAccepting", stop_accepting},
    {"relayClose", close_relay},
    {NULL, NULL},
};
