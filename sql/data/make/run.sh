#!/bin/sh
# Makes the sample logs again. Run as root on Debian 12: sh run.sh [OUTPUT_DIR]
# Everything runs in private mount, network, host name and process namespaces,
# so that nothing on the host is changed but the packages and OUTPUT_DIR.
set -eu
make=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "${1:-$make/..}" && cd "${1:-$make/..}" && pwd)
if [ -z "${SKIP_INSTALL:-}" ]; then
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        postgresql-15 nginx-light redis-server gcc libc6-dev python3-psycopg2 python3-redis iproute2
fi
exec unshare --mount --uts --net --pid --fork --mount-proc sh "$make/inside.sh" "$make" "$out"
