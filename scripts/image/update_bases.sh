#!/bin/sh
# Brings the digests of the Dockerfile's base images up to date: of each `ARG NAME_IMAGE=IMAGE:TAG@sha256:...` the digest that
# the registry has for the tag now, of all platforms together. Needs skopeo, or docker with buildx.
# usage: sh scripts/image/update_bases.sh [DOCKERFILE]. Exit codes: 0 up to date, 1 a registry did not answer, and nothing
# was changed, 2 a tool is missing on this machine.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
dockerfile=${1:-$root/Dockerfile}

say() { printf 'update bases: %s\n' "$*" >&2; }

if command -v skopeo >/dev/null 2>&1; then
  # The digest is that of the very bytes that the registry gives for the tag.
  digest_of() { skopeo inspect --raw "docker://$1" >"$scratch/raw" && printf 'sha256:%s' "$(sha256sum <"$scratch/raw" | cut -d' ' -f1)"; }
elif docker buildx version >/dev/null 2>&1; then
  digest_of() { docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$1"; }
else
  say 'error: skopeo is missing, and docker buildx: install one (Debian: apt-get install skopeo)'
  exit 2
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp "$dockerfile" "$scratch/new"
pins=$(sed -n 's/^ARG [A-Z]*_IMAGE=\(.*\)@\(sha256:[0-9a-f]*\)$/\1 \2/p' "$dockerfile")
printf '%s\n' "$pins" >"$scratch/pins"
while read -r image old; do
  new=$(digest_of "$image") && printf '%s\n' "$new" | grep -Eqx 'sha256:[0-9a-f]{64}' || {
    say "error: no digest for $image; nothing was changed"
    exit 1
  }
  if [ "$old" = "$new" ]; then
    say "$image is up to date"
  else
    sed -i "s|$image@$old|$image@$new|" "$scratch/new"
    say "$image is $new now"
  fi
done <"$scratch/pins"
cat "$scratch/new" >"$dockerfile"
