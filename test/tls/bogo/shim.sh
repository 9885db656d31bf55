#!/bin/sh
# The program that the runner starts. What a client of TLS 1.3 over TCP cannot be is said before Node starts, which takes a while.
for word in "$@"; do
  case $word in -server | -dtls | -quic | -no-tls13 | -handoff) exit 89 ;; esac
done
exec "${POSTERN_BOGO_NODE:-node}" --disable-warning=ExperimentalWarning "$(dirname "$0")/shim.ts" "$@"
