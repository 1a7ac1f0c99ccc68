#!/bin/bash
# The main job before your eyes: a server, netrecord in front of it, three clients; what netlog then tells; the recording
# played to the server as a test, and played as the server; and made into what other programs read.
set -eu
bin=$(cd "${1:-build/release}" && pwd)
PATH=$bin:$PATH
folder=$(mktemp -d "${TMPDIR:-/tmp}/netrecord-demo.XXXXXX")
pids=()

finish() {
	status=$?
	trap - EXIT
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
	rm -rf "$folder"
	[ $status -eq 0 ] || echo "demo: failed with status $status" >&2
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

bold= plain=
[ ! -t 1 ] || { bold=$(printf '\033[1m') plain=$(printf '\033[0m'); }

say() {
	printf '\n%s# %s%s\n' "$bold" "$*" "$plain"
}

prompt() {
	printf '%s$ %s%s\n' "$bold" "$*" "$plain"
}

# run COMMAND: as a user would type it
run() {
	prompt "$*"
	eval "$*"
}

fail() {
	echo "demo: $*" >&2
	exit 1
}

# wait until COMMAND succeeds, ten seconds at most
await() {
	for _ in $(seq 200); do
		! "$@" || return 0
		sleep 0.05
	done
	fail "waited in vain for: $*"
}

cd "$folder"
mkfifo port
demo_peer serve >port &
pids+=($!)
read -r server <port

say "a key-value server listens on port $server; record what its clients do"
prompt "netrecord -b 127.0.0.1 127.0.0.1 $server 0 demo &"
netrecord -b 127.0.0.1 127.0.0.1 "$server" 0 demo 2>said &
recorder=$!
pids+=("$recorder")
await grep -q 'listening on' said
cat said
port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' said)

say "three clients: a conversation, binary bytes, an upload that half-closes"
for session in talk blob upload; do
	run demo_peer $session "$port"
done
prompt "kill -TERM %1"
kill -TERM "$recorder"
wait "$recorder" || fail "netrecord ended with status $?"
pids=("${pids[0]}")

say "what was recorded"
run netlog list demo
say "the first connection; the binary answer of the second, byte for byte"
run netlog show demo_1
run netlog show -x --side s demo_2
say "how fast it was, and whether the logs are whole"
run netlog stat demo
run "netlog check demo && echo all are whole"

say "play the recording to the server, as its clients did: does it still answer the same?"
run netreplay --timing fast 127.0.0.1 "$server" demo
say "a server that answers otherwise: the recording is changed here, so that it differs"
sed 's/VALUE green/VALUE brown/' demo_1 >changed_1
prompt "netreplay --timing fast 127.0.0.1 $server changed_1"
! netreplay --timing fast 127.0.0.1 "$server" changed_1 || fail "a difference was not found"

say "no server at all: the recording plays it"
kill "${pids[0]}"
prompt "netreplay --serve -b 127.0.0.1 0 demo_1 &"
netreplay --serve -b 127.0.0.1 0 demo_1 2>served &
pids=($!)
await grep -q 'listening on' served
cat served
run demo_peer talk "$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' served)"
wait "${pids[0]}" || fail "netreplay ended with status $?"
pids=()

say "for other programs: Wireshark, a browser, jq"
run "netlog pcap -w demo.pcapng demo && wc -c demo.pcapng"
run "netlog html demo >demo.html && wc -c demo.html"
run "netlog json demo_1 | head -n 3"

# what was shown must also be true
[ "$(netlog json demo | grep -c '"type":"con"')" -eq 3 ] || fail "not three connections"
grep -q 'VALUE green' demo_1 || fail "the answer is not in the log"
[ "$(wc -c <demo_3)" -gt 200000 ] || fail "the upload is not in the log"
say "now before a server of yours, such as redis:  netrecord localhost 6379 6380 log"
