#!/usr/bin/env bash
# What adapters and runners are tested against that npm's registry does not have, from Debian's: nats-server, Docker and busybox are
# taken out of their packages, so that no service is started; runc and a library are installed. Then npm's own, pinned in
# test/counterparts.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$PWD/node_modules/.cache/counterparts
packages=(nats-server docker.io containerd busybox-static)
lacks() {
  for program in nats-server dockerd containerd docker busybox; do
    command -v "$program" >/dev/null || [ -x "$target/usr/sbin/$program" ] || [ -x "$target/usr/bin/$program" ] || return 0
  done
  return 1
}
if lacks; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && { apt-get download "${packages[@]}" 2>/dev/null || { apt-get update -qq && apt-get download "${packages[@]}"; }; })
  rm -rf "$target.part"
  mkdir -p "$target.part"
  for package in "$work"/*.deb; do dpkg-deb -x "$package" "$target.part"; done
  if [ -e "$target.part/bin/busybox" ]; then mv "$target.part/bin/busybox" "$target.part/usr/bin/"; fi
  rm -rf "$target"
  mv "$target.part" "$target"
fi
if ! command -v runc >/dev/null || ! /sbin/ldconfig -p | grep libdevmapper.so >/dev/null; then
  apt-get install -y -qq --no-install-recommends runc libdevmapper1.02.1 >/dev/null ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends runc libdevmapper1.02.1 >/dev/null; }
fi
if [ -f test/counterparts/package-lock.json ]; then
  npm ci --prefix test/counterparts --no-audit --no-fund
fi
