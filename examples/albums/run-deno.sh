#!/bin/sh
# Runs a file of this folder on Deno: the one in node_modules, or that on the PATH. exec, and not the script that npm has for it:
# the signal that asks a service to end must reach Deno itself.
here=$(dirname "$0")
for deno in "$here"/../../node_modules/@deno/*/deno deno; do
  if command -v "$deno" > /dev/null; then
    exec "$deno" run --no-lock --allow-net --allow-env=HOST,PORT "$here/$1"
  fi
done
echo "Deno must be here: npm ci, or https://deno.com" >&2
exit 127
