#!/bin/sh
# Makes the two base images of the Dockerfile on this machine, for where none can be pulled: Debian 12 from its packages
# (mmdebstrap), and the same with the pinned Node and this machine's npm. As root, after `npm run bootstrap`.
# They go into buildah's storage; prints the arguments for `buildah bud`. Exit codes: 0 made, 1 a step failed, 2 a tool is
# missing on this machine.
set -eu

debian=localhost/sluice-debian:bookworm
node=localhost/sluice-node:bookworm

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
sh "$root/scripts/system_tools.sh" image buildah mmdebstrap

folder=$(mktemp -d)
containers=''
clean() {
  for container in $containers; do buildah rm "$container" >/dev/null; done
  rm -rf "$folder"
}
trap clean EXIT

# As little as the images of Debian have: what is essential, and apt. No documentation, but each package's licence; and no
# waiting for a disk that nobody will read after a crash.
# From where this machine has its own packages, if it is the same Debian.
release=bookworm
sources=''
if grep -qs "^VERSION_CODENAME=$release\$" /etc/os-release; then
  for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    [ -z "$sources" ] && [ -s "$file" ] && sources=$file
  done
fi
TMPDIR=$folder mmdebstrap --quiet --variant=apt --mode=root \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt=force-unsafe-io --aptopt='Acquire::Languages "none"' \
  "$release" "$folder/debian.tar" ${sources:+"$sources"}
container=$(buildah from scratch)
containers=$container
buildah add --quiet "$container" "$folder/debian.tar" / >/dev/null
buildah commit --quiet "$container" "$debian" >/dev/null

# npm is a program for Node alone: a copy of it runs anywhere.
local=$folder/node/usr/local
mkdir -p "$local/bin" "$local/lib/node_modules" "$local/etc"
cp -L "$root/node_modules/.bin/node" "$local/bin/node"
cp -R "$(dirname -- "$(dirname -- "$(readlink -f "$(command -v npm)")")")" "$local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$local/bin/npm"
# Whom this machine's npm trusts, as where a proxy of one's own stands between it and the registry.
certificates=$(cd / && npm config get cafile)
if [ -f "$certificates" ]; then
  cp -L "$certificates" "$local/etc/certificates.pem"
  printf 'cafile=/usr/local/etc/certificates.pem\n' >"$local/etc/npmrc"
fi
container=$(buildah from --pull-never "$debian")
containers="$containers $container"
buildah copy --quiet "$container" "$folder/node" / >/dev/null
buildah commit --quiet "$container" "$node" >/dev/null

echo "--build-arg DEBIAN_IMAGE=$debian --build-arg NODE_IMAGE=$node"
