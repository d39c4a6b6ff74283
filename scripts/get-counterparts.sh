#!/usr/bin/env bash
# What adapters are tested against that npm's registry does not have, from Debian's: nats-server is taken out of its package,
# so that no service is started; runc is installed. Then npm's own, pinned in test/counterparts.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v nats-server >/dev/null; then
  target=node_modules/.cache/counterparts
  if [ ! -d "$target" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    apt-get download nats-server 2>/dev/null || { apt-get update -qq && apt-get download nats-server; }
    mkdir -p "$OLDPWD/node_modules/.cache"
    dpkg-deb -x ./*.deb "$OLDPWD/$target.part"
    mv "$OLDPWD/$target.part" "$OLDPWD/$target"
    cd "$OLDPWD"
  fi
fi
if ! command -v runc >/dev/null; then
  apt-get install -y -qq --no-install-recommends runc >/dev/null ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends runc >/dev/null; }
fi
if [ -f test/counterparts/package-lock.json ]; then
  npm ci --prefix test/counterparts --no-audit --no-fund
fi
