#!/bin/sh
# Includes run downward only: format/ knows neither net/ nor commands, net/ no commands, commands not one another.
set -eu
cd "$(dirname "$0")/.."

# forbidden FOLDER PATTERN: no file below FOLDER may include what matches
forbidden() {
	[ ! -d "$1" ] || ! grep -rnE --include='*.[ch]' "^[[:space:]]*#[[:space:]]*include[[:space:]]*\"($2)" "$1"
}

commands='netrecord|netreplay|netmirror|nettunnel|format/netlog'
status=0
forbidden format "net/|tests/|\.\.|netrecord/|netreplay/|netmirror/|nettunnel/" || status=1
forbidden net "($commands)/|tests/|\.\." || status=1
for command in netrecord netreplay netmirror nettunnel; do
	others=$(echo "$commands" | tr '|' '\n' | grep -vx "$command" | paste -sd '|')
	forbidden "$command" "($others)/|tests/|\.\." || status=1
done
# the format library (all of format/ but its command) does not know the command either
! grep -nE '#[[:space:]]*include[[:space:]]*"format/netlog/' format/*.[ch] || status=1
[ $status -eq 0 ] || echo "layers: the includes above run upward" >&2
exit $status
