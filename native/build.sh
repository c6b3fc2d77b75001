#!/bin/sh
# Builds native/build/sluice.node against the npm package node-api-headers: no header download, no node-gyp.
# Does nothing when the addon is newer than its sources. CC and CFLAGS are honoured.
set -eu
cd "$(dirname "$0")"
headers=../node_modules/node-api-headers/include
output=build/sluice.node
compiler=${CC:-cc}

if [ -f "$output" ] && [ -z "$(find . -maxdepth 1 \( -name '*.[ch]' -o -name build.sh \) -newer "$output")" ]; then
  exit 0
fi
if ! command -v "$compiler" >/dev/null 2>&1; then
  echo "native/build.sh: no C compiler ('$compiler'): install one (Debian: apt-get install gcc libc6-dev) or set CC" >&2
  exit 2
fi
if [ ! -f "$headers/node_api.h" ]; then
  echo "native/build.sh: node-api-headers is not installed: run 'npm ci' first" >&2
  exit 2
fi
echo "building the native addon" >&2
mkdir -p build
temporary=build/sluice.$$.node
trap 'rm -f "$temporary"' EXIT
# shellcheck disable=SC2086 # CFLAGS is a list of words
"$compiler" -std=c11 -O2 -g -Wall -Wextra -Werror -fPIC -pthread -shared -fvisibility=hidden -I "$headers" ${CFLAGS:-} \
  -o "$temporary" ./*.c
mv "$temporary" "$output" # in one step: a build beside this one never loads half a file
