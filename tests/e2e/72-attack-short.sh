#!/bin/bash
# The short form of `make attack`: TLS scan, old protocols, slow headers, against expected findings.
command -v sslscan >/dev/null || command -v slowhttptest >/dev/null || {
    echo "neither sslscan nor slowhttptest is installed"
    exit 77
}
exec "$(dirname "$0")/../attack/run.sh" short
