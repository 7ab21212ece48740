"""A small shop service that logs JSON lines. Its failures are real ones: of
PostgreSQL, Redis, a stock service over HTTP, a full disk and bad input."""
import glob
import json
import logging
import os
import sys
import time
import urllib.request
from datetime import datetime, timezone

import psycopg2
import redis

from fakeclock import DEPLOY, burst, go_to, plan, rng, zipf

STOCK = "http://10.20.0.31:9000/stock/%s/%s"
NAMES = ["张伟", "李娜", "王小明", "chen.jing", "m.weber", "刘洋", "a.silva", "k.tanaka"]


class JsonLines(logging.Formatter):
    def format(self, record):
        ts = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        out = {"ts": ts, "level": record.levelname, "logger": record.name, "message": record.getMessage(), "trace_id": trace_id}
        if record.exc_info:
            out["error"] = record.exc_info[0].__name__
        if hasattr(record, "ms"):
            out["duration_ms"] = record.ms
        return json.dumps(out, ensure_ascii=False)


handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(JsonLines())
logging.basicConfig(level=logging.INFO, handlers=[handler])
log = {n: logging.getLogger("shop." + n) for n in ("api", "stock", "cache", "orders", "feed", "export", "db", "auth", "pricing")}
db = psycopg2.connect(host="10.20.0.11", user="shop_app", password="app-sample", dbname="shop")
db.autocommit = True
cache = redis.Redis(port=6379)
trace_id = ""


def r(a, b):
    return rng.randint(a, b)


def ms(start):
    return {"ms": round((time.perf_counter() - start) * 1000, 2)}


def sql(text, args):
    cur = db.cursor()
    cur.execute(text, args)
    return cur.fetchone() if cur.description else None


def get_order():
    start, oid = time.perf_counter(), r(1, 21500)
    row = sql("SELECT o.status, count(*) FROM orders o JOIN order_items i ON i.order_id = o.id WHERE o.id = %s GROUP BY 1", (oid,))
    log["api"].info("GET /orders/%d %d", oid, 200 if row else 404, extra=ms(start))


def get_product():
    start, pid = time.perf_counter(), r(1, 800)
    key = "product:%d" % pid
    if not cache.get(key):
        log["cache"].info("cache miss for %s", key)
        cache.set(key, str(sql("SELECT name, price FROM products WHERE id = %s", (pid,))), ex=600)
    log["api"].info("GET /products/%d 200", pid, extra=ms(start))


def stock(do, port=9000):
    def lookup():
        sku, start = "SKU-%d" % r(1001, 1800), time.perf_counter()
        try:
            with urllib.request.urlopen((STOCK % (sku, do)).replace("9000", str(port)), timeout=0.2) as f:
                left = json.loads(f.read())["stock"]
            if time.perf_counter() - start > 0.05:
                log["stock"].warning("stock service answered late for %s, %d left", sku, left, extra=ms(start))
        except (OSError, ValueError) as e:
            log["stock"].error("stock lookup of %s failed: %s", sku, e, exc_info=True, extra=ms(start))
    return lookup


def order_message():
    """A message from the queue that lacks a field or has a bad one."""
    oid = r(80000, 99999)
    msg = {"order": oid, "sku": "SKU-%d" % r(1001, 1800), "qty": str(r(1, 5)), "currency": "EUR"}
    bad = zipf(rng, ["sku", "qty", "currency"])
    if rng.random() < 0.5:
        del msg[bad]
    else:
        msg["qty"] = rng.choice(["2x", "", "one", "1.5"])
    try:
        return msg["sku"], int(msg["qty"]), msg["currency"]
    except KeyError as e:
        log["orders"].error("order %d lacks field %s", oid, e, exc_info=True)
    except ValueError as e:
        log["orders"].error("order %d has a bad quantity: %s", oid, e, exc_info=True)


def feed():
    name = "%s-%04d.json" % (rng.choice(["acme", "northwind", "globex"]), r(1, 400))
    rows = json.dumps([{"sku": "SKU-%d" % r(1001, 1800), "price": r(1, 90)} for _ in range(r(1, 9))])
    try:
        json.loads(rows[:-r(1, 9)] if rng.random() < 0.6 else rows.replace("}, {", "} {"))
        log["feed"].info("supplier feed %s accepted", name)
    except json.JSONDecodeError as e:
        log["feed"].error("supplier feed %s rejected: %s", name, e, exc_info=True)


def bad_encoding():
    name = "addresses-%d.csv" % r(100, 999)
    try:
        (b"id;" * r(1, 9) + rng.choice(["广州市天河区", "成都市武侯区"]).encode("gb18030")).decode("utf-8")
    except UnicodeDecodeError as e:
        log["feed"].error("cannot read %s: %s", name, e, exc_info=True)


def export():
    """Writes to a disk of 64 kB until it is full; then old files are removed."""
    path, start = "/srv/shop/export/invoices-%s-%d.csv" % (datetime.utcnow().strftime("%Y%m%d"), r(1000, 9999)), time.perf_counter()
    try:
        with open(path, "w") as f:
            f.write("x" * r(9000, 24000))
        log["export"].info("wrote %s", path, extra=ms(start))
    except OSError as e:
        log["export"].error("cannot write %s: %s", path, e.strerror, exc_info=True)
        if rng.random() < 0.4:
            old = glob.glob("/srv/shop/export/*")
            for p in old:
                os.remove(p)
            log["export"].warning("removed %d old files from /srv/shop/export", len(old))


def register():
    mail, start = "user%d@example.com" % r(1, 3000), time.perf_counter()
    try:
        sql("INSERT INTO customers (email) VALUES (%s)", (mail,))
    except psycopg2.Error as e:
        log["db"].error("registration of %s failed: %s", mail, e.diag.message_primary, exc_info=True, extra=ms(start))


def reserve():
    oid = r(80000, 99999)
    try:
        sql("SELECT take_stock(%s, %s)", (r(1, 800), r(6, 40)))
    except psycopg2.Error as e:
        log["orders"].warning("订单 %d 未能下单：%s", oid, e.diag.message_primary)


def db_timeout():
    start, cid = time.perf_counter(), r(1, 3000)
    try:
        sql("SET statement_timeout = %s", (r(60, 190),))
        sql("SELECT count(*) FROM orders o, orders p WHERE o.customer_id + p.customer_id = -%s", (cid,))
    except psycopg2.Error as e:
        log["db"].error("history of customer %d: %s", cid, e.diag.message_primary, exc_info=True, extra=ms(start))
    sql("RESET statement_timeout", None)


def cache_full():
    key = "session:%032x" % rng.getrandbits(128)
    try:
        for i in range(30):
            cache.set("bulk:%d" % i, "x" * 200_000)
        cache.set(key, "{}")
    except redis.RedisError as e:
        log["cache"].error("cannot store %s: %s", key, e, exc_info=True)
    cache.delete(*["bulk:%d" % i for i in range(30)])


def login():
    name = zipf(rng, NAMES)
    if rng.random() < 0.4:
        log["auth"].warning("用户 %s 登录失败：密码错误（第 %d 次），来自 203.0.113.%d", name, r(1, 5), r(1, 254))
    else:
        log["auth"].info("login of %s from 198.51.100.%d", name, r(1, 254))


# New with the release: carts are hashes now, and prices have no discount any more
def cart():
    key = "cart:%08x" % rng.getrandbits(32)
    cache.hset(key, "SKU-%d" % r(1001, 1800), 1)
    try:
        cache.get(key)
    except redis.RedisError as e:
        log["cache"].error("cannot load %s: %s", key, e, exc_info=True)


def price():
    sku, row = "SKU-%d" % r(1001, 1800), {"price": 12, "list": "spring"}
    try:
        return row["price"] * (1 - row["discount"])
    except KeyError as e:
        log["pricing"].error("no price for %s: missing %s", sku, e, exc_info=True)


def deploy():
    log["api"].info("stopping, release 2.13.4")
    log["api"].info("started, release 2.14.0")


slow, refused = stock("slow"), stock("ok", 9001)
counts = {get_order: (52, 50), get_product: (54, 54), stock("lag"): (20, 24), slow: (8, 62), refused: (14, 13), stock("busy"): (10, 10), stock("html"): (4, 5),
          stock("drop"): (5, 4), order_message: (30, 28), feed: (26, 0), bad_encoding: (6, 6), export: (30, 30), register: (22, 24), reserve: (14, 15),
          db_timeout: (6, 9), cache_full: (6, 5), login: (32, 30), cart: (0, 36), price: (0, 26)}
todo = plan(rng, counts) + [(DEPLOY + 9, deploy)] + burst(rng, "2 16:05:10", 25, 12, refused) + burst(rng, "3 10:31:00", 400, 16, slow)
for when, what in sorted(todo, key=lambda x: x[0]):
    go_to(when)
    trace_id = "%032x" % rng.getrandbits(128)
    what()
