#!/bin/sh
# A thumbprint of whatever it is given, with POSIX tools only: {"bytes": …, "lines": …, "cksum": …} of the JSON text on
# stdin. An operation that is a program: opctl create operation - with implemented_at: {process: {command: […/thumb.sh]}}.
set -eu
copy="${TMPDIR:-/tmp}/thumb.$$"
trap 'rm -f "$copy"' EXIT
cat > "$copy"
if [ ! -s "$copy" ]; then
  echo "there is nothing on stdin" >&2
  exit 65
fi
read -r sum bytes _ <<END
$(cksum "$copy")
END
lines=$(wc -l < "$copy")
echo "took the thumbprint of $bytes bytes" >&2
printf '{"bytes":%d,"lines":%d,"cksum":%s}\n' "$bytes" "$lines" "$sum"
