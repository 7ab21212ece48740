#!/bin/sh
# Called by run.sh inside the namespaces: sets up the servers, runs the loads,
# copies the logs out. Leaving this script ends every process it started.
set -eu
make=$1 out=$2
hostname shop-1
mount --make-rprivate /
for d in /srv /var/log /var/lib/postgresql /var/lib/nginx /var/lib/redis /run /dev/shm; do
    mkdir -p $d; mount -t tmpfs -o mode=755 none $d
done
chmod 1777 /dev/shm
ip link set lo up
for a in 10.20.0.5 10.20.0.11 10.20.0.12 10.20.0.21 10.20.0.22 10.20.0.31 10.20.0.99; do ip addr add $a/32 dev lo; done
echo 11840 > /proc/sys/kernel/ns_last_pid
mkdir -p /srv/shop /var/log/postgresql /var/log/nginx /run/postgresql
cp -r "$make"/. /srv/shop/
chmod -R a+rX /srv/shop
chown postgres /var/lib/postgresql /var/log/postgresql /run/postgresql
cd /srv/shop
export TZ=UTC LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONNODEBUGRANGES=1

# From here on every program started runs with the shifted clock.
gcc -O2 -shared -fPIC -o /run/fakeclock.so fakeclock.c
export FAKECLOCK_FILE=/run/clock
clock_to() {
    python3 -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("q", (int(sys.argv[2]) - int(sys.argv[3])) * 10**9))' \
        $FAKECLOCK_FILE "$(date -u -d "$1" +%s)" "$(env -u LD_PRELOAD date +%s)"
}
truncate -s 8 $FAKECLOCK_FILE
export LD_PRELOAD=/run/fakeclock.so
clock_to '2026-03-01 22:15:07'

start='2026-03-02 06:09:50'
pg=/usr/lib/postgresql/15/bin data=/var/lib/postgresql/15/main
as_pg() { runuser -u postgres -- "$@"; }

echo "== PostgreSQL"
as_pg mkdir -p $data
as_pg $pg/initdb -D $data --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust > /dev/null
as_pg cp postgresql.conf pg_hba.conf $data/
as_pg $pg/pg_ctl -s -w -D $data -l /dev/null start
as_pg psql -qX -f pg_setup.sql postgres
as_pg $pg/pg_ctl -s -w -D $data stop
clock_to "$start"
as_pg $pg/pg_ctl -s -w -D $data -l /var/log/postgresql/postgresql-15-main.log start
timeout 900 /usr/bin/python3 pg_load.py
as_pg $pg/pg_ctl -s -w -m fast -D $data stop
cp /var/log/postgresql/postgresql-15-main.log "$out/postgresql.log"
[ "${ONLY:-}" = pg ] && exit 0

echo "== nginx"
sh web_files.sh
clock_to "$start"
/usr/bin/python3 web_upstream.py 2> /dev/null &
nginx -c /srv/shop/nginx.conf
timeout 900 /usr/bin/python3 web_load.py
kill "$(cat /run/nginx.pid)"
cp /var/log/nginx/error.log "$out/nginx_error.log"
cp /var/log/nginx/access.log "$out/nginx_access.log"
[ "${ONLY:-}" = web ] && exit 0

echo "== the shop's own programs"
as_pg $pg/pg_ctl -s -w -D $data -l /dev/null start
redis-server --port 6379 --bind 127.0.0.1 --save '' --daemonize yes --maxmemory 3mb --maxmemory-policy noeviction > /dev/null
mkdir -p /srv/shop/export; mount -t tmpfs -o size=64k none /srv/shop/export
/usr/bin/python3 app_peer.py 2> /dev/null &
clock_to "$start"
timeout 900 /usr/bin/python3 -m app.service > /var/log/shop-app.jsonl
clock_to "$start"
timeout 900 /usr/bin/python3 -m worker.main > /var/log/shop-worker.log
cp /var/log/shop-app.jsonl "$out/app.jsonl"
cp /var/log/shop-worker.log "$out/app_python.log"
chmod 644 "$out"/*.log "$out/app.jsonl"
