#!/usr/bin/env bash
# Puts the official JSON Schema test suite where src/types/suite.test.ts finds it. No npm package carries it for
# 2020-12; Debian's libtest-json-schema-acceptance-perl does. Only its files are taken, nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

target=node_modules/.cache/json-schema-suite
[ -d "$target" ] && exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download libtest-json-schema-acceptance-perl 2>/dev/null ||
  { apt-get update -qq && apt-get download libtest-json-schema-acceptance-perl; }
mkdir -p "$OLDPWD/node_modules/.cache"
dpkg-deb -x ./*.deb "$OLDPWD/$target.part"
mv "$OLDPWD/$target.part" "$OLDPWD/$target"
