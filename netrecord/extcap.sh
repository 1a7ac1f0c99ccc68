#!/bin/sh
# Lists netrecord among Wireshark's capture sources (extcap): wireshark.org/docs/wsdg_html_chunked/ChCaptureExtcap.html
#
# Put it, or a link to it, into Wireshark's extcap folder (Help, About, Folders) under the name netrecord.
# NETRECORD names the program if it is neither on PATH nor installed beside this.
set -eu

server='' listen='' logroot='' more='' fifo='' filter='' action=''

fail() {
	echo "netrecord extcap: $1" >&2
	exit 1
}

find_netrecord() {
	here=$(dirname "$(readlink -f "$0")")
	for program in "${NETRECORD:-}" "$(command -v netrecord || true)" "$here/../../../bin/netrecord"; do
		[ -x "$program" ] && [ "$(readlink -f "$program")" != "$(readlink -f "$0")" ] && return
	done
	fail "netrecord is not on PATH"
}

config() {
	cat <<-END
	arg {number=0}{call=--server}{display=Server}{type=string}{required=true}{placeholder=localhost:6379}{tooltip=host:port, [v6]:port or unix:/path}
	arg {number=1}{call=--listen}{display=Listen on}{type=string}{required=true}{placeholder=6380}{tooltip=the port that clients connect to instead; 127.0.0.1:6380 for one address}
	arg {number=2}{call=--logroot}{display=Logs}{type=string}{default=$default_logroot}{tooltip=where the recordings are kept}
	arg {number=3}{call=--more}{display=Further options}{type=string}{placeholder=-z --idle-timeout 60s}{tooltip=of netrecord}
	END
}

# Ends with netrecord; what that said is for Wireshark only if it is not good news.
capture() {
	[ -n "$server" ] || fail "the server is not set (capture options)"
	[ -n "$listen" ] || fail "the port to listen on is not set (capture options)"
	[ -n "$fifo" ] || fail "no --fifo"
	find_netrecord
	umask 077
	mkdir -p "$(dirname "$logroot")"
	said=$(mktemp)
	trap 'rm -f "$said"' EXIT
	# shellcheck disable=SC2086 # options are words
	"$program" -q $more --grace 0s -w "$fifo" -- "$server" "$listen" "$logroot" 2>"$said" &
	child=$!
	trap 'kill -TERM $child 2>/dev/null || true' TERM INT HUP
	status=0
	while kill -0 $child 2>/dev/null; do
		status=0
		wait $child || status=$?
	done
	grep -v ' listening on ' "$said" >&2 || true
	exit $status
}

home=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)} # services may run without HOME
default_logroot=${XDG_STATE_HOME:-$home/.local/state}/netrecord/wireshark
while [ $# -gt 0 ]; do
	case $1 in
	--*=*) name=${1%%=*} value=${1#*=} ;;
	--extcap-interfaces | --extcap-dlts | --extcap-config | --capture) name=$1 value= ;;
	*)
		name=$1 value=${2-}
		[ $# -eq 1 ] || shift
		;;
	esac
	shift
	case $name in
	--extcap-interfaces | --extcap-dlts | --extcap-config | --capture) action=${name#--} ;;
	--extcap-capture-filter) filter=$value ;;
	--fifo) fifo=$value ;;
	--server) server=$value ;;
	--listen) listen=$value ;;
	--logroot) logroot=$value ;;
	--more) more=$value ;;
	esac
done
: "${logroot:=$default_logroot}"
[ -z "$filter" ] || fail "there are no capture filters: all connections to the port are captured"

case $action in
extcap-interfaces)
	echo "extcap {version=1}{display=netrecord}"
	echo "interface {value=netrecord}{display=netrecord: TCP proxy that records}"
	;;
extcap-dlts) echo "dlt {number=101}{name=RAW}{display=Raw IP}" ;;
extcap-config) config ;;
capture) capture ;;
esac
