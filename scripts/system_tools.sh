#!/bin/sh
# Checks the system tools Sluice calls; as `system_tools.sh bench TOOL...`, these of its benchmarks, with `image` those
# that build its image, as `system_tools.sh shells` those that tests press Tab in, and as `system_tools.sh browser` the one
# that opens the dashboard. On Debian or Ubuntu as root it installs what is missing; elsewhere it lists what is missing, with
# package names, and exits 2. Says nothing when all are there.
set -eu

# tool | what for | Debian, Ubuntu | Fedora | Alpine
tools='iptables|the redirect, IPv4|iptables|iptables-nft|iptables
ip6tables|the redirect, IPv6|iptables|iptables-nft|iptables
ip|network namespaces, addresses, routes|iproute2|iproute|iproute2
nft|reading back what iptables made|nftables|nftables|nftables
nsenter|running programs in a namespace|util-linux|util-linux-core|util-linux-misc
cc|building the native addon|gcc libc6-dev|gcc glibc-devel|gcc musl-dev'

bench_tools='haproxy|compared with|haproxy|haproxy|haproxy
iperf3|load: bulk|iperf3|iperf3|iperf3
sockperf|load: round trips|sockperf|sockperf|
ab|load: connections|apache2-utils|httpd-tools|apache2-utils
wrk|load: requests|wrk|wrk|wrk
nginx|the app that is asked|nginx-light|nginx-core|nginx'

image_tools='buildah|building the image|buildah|buildah|buildah
mmdebstrap|making its base from packages|mmdebstrap debian-archive-keyring||
skopeo|asking for the digests of its bases|skopeo|skopeo|skopeo'

shell_tools='script|a terminal for the shells|bsdutils|util-linux-script|util-linux-misc
zsh|its completion|zsh|zsh|zsh
fish|its completion|fish|fish|fish'

browser_tools='chromium|the dashboard in tests|chromium|chromium-headless|chromium'

of_these() {
  of=$1
  shift
  for tool; do printf '%s\n' "$of" | grep "^$tool|"; done
}
case "${1:-}" in
  bench) shift && tools=$(of_these "$bench_tools" "$@") ;;
  shells) tools=$shell_tools ;;
  browser) tools=$browser_tools ;;
  image) shift && tools=$(of_these "$image_tools" "$@") ;;
esac

# Users other than root often lack these in PATH, and iptables lives there.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf 'system tools: %s\n' "$*" >&2; }

present() {
  command -v "$1" >/dev/null 2>&1 || return 1
  # A compiler without the C library's headers cannot build the addon.
  [ "$1" != cc ] || printf '#include <errno.h>\n' | cc -E - >/dev/null 2>&1
}

# Prints the lines of `tools` whose tool is missing.
missing_lines() {
  printf '%s\n' "$tools" | while IFS='|' read -r tool rest; do
    present "$tool" || printf '%s|%s\n' "$tool" "$rest"
  done
}

# Prints column $2 of the lines $1, each word once, on one line.
packages() {
  printf '%s\n' "$1" | cut -d'|' -f"$2" | tr ' ' '\n' | sort -u | tr '\n' ' ' | sed 's/ $//'
}

[ -n "$tools" ] || exit 0
missing=$(missing_lines)
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null 2>&1; then
  names=$(packages "$missing" 3)
  say "installing $names"
  log=$(mktemp)
  # shellcheck disable=SC2086 # package names are words
  # Tests that run side by side may each lack something: apt-get lets one at a time look.
  if (
    export DEBIAN_FRONTEND=noninteractive
    flock 9
    apt-get -q update && apt-get -q install -y --no-install-recommends $names
  ) >"$log" 2>&1 9>/run/lock/sluice-system-tools; then
    rm -f "$log"
  else
    cat "$log" >&2
    rm -f "$log"
    say "error: apt-get could not install $names; its output is above."
    exit 2
  fi
  missing=$(missing_lines)
  [ -n "$missing" ] || exit 0
fi

say 'error: missing on this machine:'
printf '%s\n' "$missing" | while IFS='|' read -r tool purpose rest; do
  printf '  %-10s %s\n' "$tool" "$purpose" >&2
done
say 'install them as root with one of:'
{
  printf '  Debian, Ubuntu:  apt-get install %s\n' "$(packages "$missing" 3)"
  printf '  Fedora:          dnf install %s\n' "$(packages "$missing" 4)"
  printf '  Alpine:          apk add %s\n' "$(packages "$missing" 5)"
} >&2
exit 2
