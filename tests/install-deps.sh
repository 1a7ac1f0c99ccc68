#!/bin/sh
# Install the Debian packages that are missing: `build`, `check` or both. As root through apt; else name them, exit 2.
set -eu

build="gcc libc6-dev make pkg-config libbsd-dev libmd-dev zlib1g-dev libpcap-dev liblua5.4-dev"
check="git clang libclang-rt-14-dev clang-format clang-tidy mandoc curl wrk nginx-light redis-server
redis-tools postgresql memcached iproute2 tcpdump tshark tcpflow
python3-hypothesis netcat-openbsd iperf openssh-server openssh-client stunnel4 procps mosquitto mosquitto-clients python3-aiosmtpd socat openssl
chromium chromium-driver jq libxml2-utils perl python3-pytest python3-pytest-timeout python3-pytest-xdist"

command -v dpkg-query >/dev/null || exit 0 # not Debian: whoever packages it knows

wanted=
for set in "$@"; do
	case $set in
	build) wanted="$wanted $build" ;;
	check) wanted="$wanted $check" ;;
	*) echo "install-deps: no set of packages named $set" >&2; exit 2 ;;
	esac
done

missing=
for package in $wanted; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "packages are missing; as root run:" >&2
	echo "apt-get install -y --no-install-recommends$missing" >&2
	exit 2
fi

# the packages' own services must not start: the tests run theirs on ports of their own
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 130' INT TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi

echo "installing:$missing"
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # one word a package
if { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
	rm -f "$log"
else
	tail -n 30 "$log" >&2
	echo "apt-get failed; all it said is in $log" >&2
	exit 2
fi
