"""Load for PostgreSQL: mostly failing statements, as a shop's programs send them."""
import os
import signal
import socket
import struct
import subprocess
import threading
import time
import uuid

import psycopg2
from fakeclock import DEPLOY, at, burst, go_to, plan, rng, zipf

PG = "/usr/lib/postgresql/15/bin/pg_ctl"
DATA = "/var/lib/postgresql/15/main"
LOG = "/var/log/postgresql/postgresql-15-main.log"
APPS = [("shop_app", "shop-api", "10.20.0.11"), ("shop_app", "shop-api", "10.20.0.12"),
        ("shop_app", "checkout-worker", "10.20.0.21"), ("shop_report", "nightly-report", "10.20.0.31")]
PASSWORDS = {"shop_app": "app-sample", "shop_report": "report-sample", "shop_migrator": "migrator-sample"}
CN = ["王小明", "张伟", "李娜", "刘洋", "陈静", "赵磊", "黄丽", "周杰", "吴敏", "欧阳雪"]
pool = {}


def connect(user="shop_app", app="shop-api", host="10.20.0.11", db="shop", password=None):
    c = psycopg2.connect(host=host, user=user, dbname=db, application_name=app, connect_timeout=10,
                         password=password or PASSWORDS.get(user, "x"))
    c.autocommit = True
    return c


def session(user="shop_app", host=None):
    """A pooled session; one is given back to the server after some uses."""
    key = rng.choice([a for a in APPS if a[0] == user and host in (None, a[2])])
    c, left = pool.pop(key, (None, 0))
    if c is not None and (c.closed or left <= 0):
        c.close()
        c = None
    if c is None:
        c, left = connect(*key), rng.randint(16, 50)
    pool[key] = (c, left - 1)
    return c


def run(sql, args=None, user="shop_app", conn=None):
    """Send one statement; the server logs what goes wrong."""
    try:
        c = conn or session(user)
        cur = c.cursor()
        cur.execute(sql, args)
        return cur.fetchall() if cur.description else None
    except psycopg2.Error:
        return None


def tx(*statements):
    """The statements in one transaction, in a session of their own."""
    try:
        c = connect(*rng.choice(APPS[:3]))
        for s in ("BEGIN",) + statements:
            run(s, conn=c)
        c.rollback() if not c.closed else None
        c.close()
    except psycopg2.Error:
        pass


def both(first, second):
    """Two transactions at once, each with its two statements, to cross their locks."""
    def one(stmts, wait):
        try:
            c = connect(*APPS[wait])
            cur = c.cursor()
            cur.execute("BEGIN")
            cur.execute(stmts[0])
            time.sleep(0.08)
            for s in stmts[1:]:
                cur.execute(s)
            cur.execute("COMMIT")
            c.close()
        except psycopg2.Error:
            c.close()
    ts = [threading.Thread(target=one, args=a) for a in ((first, 0), (second, 2))]
    [t.start() for t in ts]
    [t.join() for t in ts]


def r(a, b):
    return rng.randint(a, b)


def word(n=6):
    return "".join(rng.choice("abcdefghkmnprstuvwxz") for _ in range(n))


def dup_email():
    run("INSERT INTO customers (email, nickname) VALUES (%s, %s)", ("user%d@example.com" % r(20, 3000), word()))


def dup_nick():
    run("INSERT INTO customers (email, nickname) VALUES (%s, %s)", (word() + "@example.cn", zipf(rng, CN)))


def fk_item():
    run("INSERT INTO order_items (order_id, product_id, qty) VALUES (%s, %s, %s)", (r(1, 20000), r(801, 99999), r(1, 4)))


def fk_delete():
    run("DELETE FROM products WHERE id = %s", (r(1, 800),))


def syntax():
    run(rng.choice(["SELECT * FORM orders WHERE id = %d", "UPDATE orders SET status = 'paid', WHERE id = %d",
                    "SELECT id, FROM orders WHERE customer_id = %d", "SELECT * FROM orders WHERE id IN () OR id = %d"]) % r(1, 20000))


def no_table():
    run("SELECT count(*) FROM orders_2026%02d WHERE customer_id = %d" % (r(1, 2), r(1, 3000)), user="shop_report")


def no_column():
    run("SELECT id, shiped_at FROM orders WHERE id = %d" % r(1, 20000))


def div_zero():
    run("SELECT product_id, sum(qty) * 100 / (count(*) - count(*)) AS share FROM order_items WHERE product_id = %d GROUP BY 1" % r(1, 800))


def bad_input():
    kind, value = rng.choice([("integer", word(5)), ("integer", "undefined"), ("integer", "12%s" % word(2)), ("integer", ""),
                              ("uuid", "%08x-%s" % (r(0, 2**32 - 1), word(4))), ("numeric", "%d,%02d" % (r(1, 99), r(0, 99))),
                              ("timestamp with time zone", "2026-%02d-%02dT" % (r(13, 19), r(1, 28)))])
    col = {"integer": "orders WHERE id", "uuid": "payments WHERE id", "numeric": "products WHERE price"}.get(kind, "orders WHERE placed_at")
    run("SELECT * FROM %s = '%s'" % (col, value))


def bad_date():
    run("SELECT count(*) FROM orders WHERE placed_at > '2026-02-%d'" % r(29, 31))


def denied():
    run("SELECT sum(amount) FROM payments WHERE order_id > %d" % r(1, 20000), user="shop_report")


def timeout_():
    c = session()
    run("SET statement_timeout = '%dms'" % r(60, 160), conn=c)
    cid = r(1, 3000)
    short = rng.random() < 0.82
    run((
        "SELECT o.id, o.status FROM orders o JOIN orders p ON p.status = o.status WHERE o.customer_id <> %d ORDER BY md5(o.id::text || p.id)" % cid if short else
        "SELECT c.id, c.email,\n       count(DISTINCT o.id) AS orders,\n       string_agg(DISTINCT p.sku, ',') AS skus\n  FROM customers c\n"
        "  JOIN orders o ON o.customer_id >= c.id\n  JOIN order_items i ON i.order_id = o.id\n  JOIN products p ON p.id = i.product_id\n"
        " WHERE c.id > %d\n GROUP BY c.id, c.email" % (cid // 100)), conn=c)
    run("RESET statement_timeout", conn=c)


def user_cancel():
    c = session("shop_report")
    t = threading.Timer(0.15, c.cancel)
    t.start()
    run("SELECT a.nickname FROM customers a, customers b, customers c WHERE a.id + b.id + c.id = %d" % -r(1, 999), conn=c)
    t.join()


def deadlock():
    a, b = rng.sample(range(1, 801), 2)
    up = "UPDATE products SET stock = stock - 1 WHERE id = %d"
    both((up % a, up % b), (up % b, up % a))


def lock_wait():
    a = r(1, 20000)
    up = "UPDATE orders SET status = '%s' WHERE id = %d"
    both((up % ("paid", a), "SELECT pg_sleep(0.35)"), (up % ("sent", r(1, 20000)), up % ("packed", a)))


def stock_cn():
    run("SELECT take_stock(%s, %s)", (r(1, 800), r(6, 40)))


def price_check():
    run("UPDATE products SET price = price - %s WHERE id = %s", (r(200, 900), r(1, 800)))


def null_status():
    run("INSERT INTO orders (customer_id, status) VALUES (%s, NULL)", (r(1, 3000),))


def too_long():
    run("UPDATE customers SET phone = %s WHERE id = %s", ("+86 138 %04d %04d ext. %d" % (r(0, 9999), r(0, 9999), r(1, 99)), r(1, 3000)))


def overflow():
    run("INSERT INTO payments (order_id, amount) VALUES (%s, %s)", (r(1, 20000), "%d.00" % r(10**9, 10**11)))


def aborted():
    tx("INSERT INTO orders (customer_id) VALUES (%d)" % r(3001, 9999), "UPDATE products SET stock = stock - 1 WHERE id = %d" % r(1, 800))


def bad_json():
    body = rng.choice(['{"gift": tru}', '{"note": "call %d"' % r(1000, 9999), "{'tag': %d}" % r(1, 99)])
    run("UPDATE orders SET attrs = %s WHERE id = %s", (body, r(1, 20000)))


def bad_utf8():
    c = session()
    run("SET client_encoding = 'SQL_ASCII'", conn=c)
    run(b"SELECT id FROM customers WHERE nickname = '" + zipf(rng, CN).encode("gb18030") + b"'", conn=c)
    run("RESET client_encoding", conn=c)


def wrong_password():
    try:
        connect(rng.choice(["shop_app", "shop_app", "shop_migrator", "backup"]), host=rng.choice(["10.20.0.21", "10.20.0.99"]), password="hunter%d" % r(1, 99))
    except psycopg2.Error:
        pass


def no_database():
    try:
        connect("shop_report", host="10.20.0.31", db=rng.choice(["analytics", "shop_staging", "shop_test"]))
    except psycopg2.Error:
        pass


def no_hba():
    try:
        connect(rng.choice(["root", "admin", "postgres"]), host="10.20.0.99", db=rng.choice(["postgres", "shop"]))
    except psycopg2.Error:
        pass


def gone():
    """The client dies inside a transaction, politely closed or reset."""
    c = connect(*APPS[2])
    c.autocommit = False
    run("UPDATE orders SET status = 'picking' WHERE id = %d" % r(1, 20000), conn=c)
    s = socket.socket(fileno=os.dup(c.fileno()))
    if rng.random() < 0.5:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(c.fileno())
    s.close()
    time.sleep(0.05)


def idle_tx():
    c = connect(*APPS[1])
    run("SET idle_in_transaction_session_timeout = '120ms'", conn=c)
    run("BEGIN", conn=c)
    run("SELECT stock FROM products WHERE id = %d FOR UPDATE" % r(1, 800), conn=c)
    time.sleep(0.25)


def report():
    """Successful statements; the report role logs the duration of each."""
    run(rng.choice([
        "SELECT status, count(*) FROM orders WHERE id > %d GROUP BY status" % r(1, 20000),
        "SELECT count(*) FROM customers WHERE id <= %d" % r(1, 3000),
        "SELECT p.sku, sum(i.qty) AS sold\n  FROM order_items i JOIN products p ON p.id = i.product_id\n WHERE i.order_id BETWEEN %d AND %d\n"
        " GROUP BY p.sku ORDER BY sold DESC LIMIT 20" % (r(1, 9000), r(9001, 20000)),
        "SELECT customer_id, count(*) FROM orders GROUP BY 1 HAVING count(*) > %d" % r(3, 9),
        "SELECT price FROM products WHERE sku = 'SKU-%d'" % r(1001, 1800)]), user="shop_report")


def temp_file():
    run("SELECT count(*) FROM (SELECT md5(id::text) m FROM orders WHERE id <> %d ORDER BY 1 OFFSET 1) s" % r(1, 20000), user="shop_report")


def churn():
    run("INSERT INTO events (kind, body) SELECT 'click', repeat(md5(i::text), 30) FROM generate_series(1, %d) i" % r(400, 2500))


def checkpoint():
    os.system("runuser -u postgres -- psql -qX -c CHECKPOINT >/dev/null")


# New with the release
def no_discount():
    run(rng.choice([
        "SELECT p.id, p.name, p.price * (1 - p.discount) AS price FROM products p WHERE p.id = %d" % r(1, 800),
        "SELECT p.id, p.name, p.price * (1 - p.discount) AS price FROM products p WHERE p.id = %d" % r(1, 800),
        "SELECT i.order_id,\n       sum(i.qty * p.price * (1 - p.discount)) AS total\n  FROM order_items i\n  JOIN products p ON p.id = i.product_id\n"
        " WHERE i.order_id = %d\n GROUP BY i.order_id" % r(1, 20000),
        "UPDATE products SET discount = 0.%02d WHERE id = %d" % (r(5, 40), r(1, 800))]))


def no_function():
    run("SELECT apply_coupon(%s, %s)", (r(1, 20000), "SPRING%d" % r(10, 99)))


def no_currency():
    run("INSERT INTO payments (order_id, amount, card_token) VALUES (%s, %s, %s)",
        (r(1, 20000), "%d.%02d" % (r(5, 400), r(0, 99)), "tok_%s" % uuid.UUID(int=rng.getrandbits(128)).hex[:16]))


def refund_sequence():
    run("INSERT INTO refunds (payment_id, amount, reason) VALUES (%s, %s, %s)",
        (str(uuid.UUID(int=rng.getrandbits(128))), r(5, 300), rng.choice(["damaged", "late", "客户取消", "质量问题"])))


# Once each
def full():
    """More sessions than the server has."""
    held = []
    for _ in range(27):
        try:
            held.append(connect(*rng.choice(APPS[:3])))
        except psycopg2.Error:
            time.sleep(rng.uniform(0.02, 0.2))
    for c in held:
        c.close()


def crash():
    """A backend is killed while it works; the server recovers."""
    for _ in range(6):
        session()
    c = session("shop_report")
    t = threading.Thread(target=run, args=("SELECT a.nickname, b.email\n  FROM customers a, customers b, customers c\n WHERE a.id + b.id + c.id = -7",),
                         kwargs={"conn": c})
    t.start()
    time.sleep(0.4)
    os.kill(c.get_backend_pid(), signal.SIGKILL)
    t.join()
    for _ in range(60):
        try:
            connect(*rng.choice(APPS[:3])).close()
            break
        except psycopg2.Error:
            time.sleep(0.02)


def deploy():
    """Server restart, then the migration, at 2026-03-03 00:00:00."""
    subprocess.run(["runuser", "-u", "postgres", "--", PG, "-s", "-w", "-m", "fast", "-D", DATA, "-l", LOG, "restart"], check=True)
    c = connect("shop_migrator", "migrate-2.14.0", "10.20.0.5")
    for s in open("pg_deploy.sql").read().split(";\n"):
        if s.strip():
            run(s.strip() + ";", conn=c)
    c.close()


counts = {dup_email: (46, 48), dup_nick: (20, 21), fk_item: (18, 19), fk_delete: (6, 5), syntax: (11, 9), no_table: (9, 8),
          no_column: (7, 6), div_zero: (26, 0), bad_input: (27, 26), bad_date: (5, 6), denied: (12, 11), timeout_: (8, 64),
          user_cancel: (4, 4), deadlock: (4, 5), lock_wait: (6, 9), stock_cn: (17, 19), price_check: (8, 7), null_status: (5, 5),
          too_long: (6, 6), overflow: (5, 4), aborted: (9, 10), bad_json: (6, 7), bad_utf8: (5, 6), wrong_password: (18, 20),
          no_database: (6, 6), no_hba: (5, 4), gone: (5, 6), idle_tx: (4, 4), report: (46, 46), temp_file: (10, 9), churn: (20, 20),
          checkpoint: (8, 7), no_discount: (0, 50), no_function: (0, 14), no_currency: (0, 22), refund_sequence: (0, 9)}
todo = plan(rng, counts) + [(at("2 19:41:08"), full), (at("3 09:17:33"), full), (at("2 14:22:37"), crash), (DEPLOY + 0.2, deploy)]
todo += burst(rng, "3 10:31:00", 400, 22, timeout_)  # an incident within the second day
for when, what in sorted(todo, key=lambda x: x[0]):
    go_to(when)
    try:
        what()
    except psycopg2.Error:
        pass
