#!/bin/sh
# Makes a fresh clone ready to run: packages, the pinned Node, system tools, the native addon.
# `npm run demo` and `npm test` run it first. It says what it does, and nothing when there is nothing to do.
# Needs Node 20 or later and npm. Exit codes: 0 ready, 1 a step failed, 2 something is missing on this machine.
set -eu

MIN_NODE_MAJOR=20    # the oldest Node that still gets fixes; it only runs npm, Sluice itself runs on the pinned one
PINNED_NODE_MAJOR=24 # what package.json pins; runs TypeScript by type stripping

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$root"

say() { printf 'bootstrap: %s\n' "$*" >&2; }
stop() {
  say "error: $1"
  exit "${2:-1}"
}

# Under `npm run`, PATH starts with node_modules/.bin. `npm ci` replaces that folder, so npm must not run from it.
path_without_bin=''
old_ifs=$IFS
IFS=:
for dir in $PATH; do
  case "$dir" in
    */node_modules/.bin | */node-gyp-bin) ;;
    *) path_without_bin=${path_without_bin:+$path_without_bin:}$dir ;;
  esac
done
IFS=$old_ifs

check_node() {
  node=$(PATH=$path_without_bin command -v node) ||
    stop "Node is missing. Install Node $MIN_NODE_MAJOR or later (https://nodejs.org/en/download)." 2
  version=$("$node" --version)
  major=${version#v}
  major=${major%%.*}
  [ "$major" -ge "$MIN_NODE_MAJOR" ] ||
    stop "$node is Node $version. Install Node $MIN_NODE_MAJOR or later (https://nodejs.org/en/download)." 2
  PATH=$path_without_bin command -v npm >/dev/null ||
    stop 'npm is missing. Install the npm that comes with Node (Debian: apt-get install npm).' 2
}

# The lockfile of the packages that are there. Removed first and written last, so a half-done install counts as none.
installed_lockfile=node_modules/.installed-package-lock.json

packages_current() {
  cmp -s package-lock.json "$installed_lockfile"
}

# No package's install script runs: none is needed, and what it would fetch is in no lockfile.
install_packages() {
  say 'installing packages (npm ci)'
  rm -f "$installed_lockfile"
  log=$(mktemp)
  if (PATH=$path_without_bin npm ci --ignore-scripts --no-progress --loglevel=error 9<&-) >"$log" 2>&1; then
    rm -f "$log"
  else
    cat "$log" >&2
    rm -f "$log"
    stop 'npm ci failed; its output is above.'
  fi
  cp package-lock.json "$installed_lockfile"
}

check_pinned_node() {
  version=$(node_modules/.bin/node --version 2>/dev/null || echo none)
  case "$version" in
    "v$PINNED_NODE_MAJOR."*) ;;
    *) stop "node_modules/.bin/node is '$version', not Node $PINNED_NODE_MAJOR: npm left out the optional package that \
has it. That needs Linux on x86-64 or arm64, and an npm that is not set to leave out optional packages (npm config: \
omit). Then remove node_modules and run this again." ;;
  esac
}

# One at a time: `npm test` and `npm run demo` may start together. The lock ends with this process.
exec 9<package-lock.json
if command -v flock >/dev/null 2>&1; then
  flock -n 9 || {
    say 'waiting for another bootstrap'
    flock 9
  }
fi

check_node
packages_current || install_packages
check_pinned_node
sh scripts/system_tools.sh 9<&-
PATH=$root/node_modules/.bin:$path_without_bin sh native/build.sh 9<&-
