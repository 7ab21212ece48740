"""A worker that logs as text, with the traceback of what failed."""
import logging
import os
import sys

from fakeclock import DEPLOY, burst, go_to, plan, rng, zipf
from worker import importer, mailer, payments

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
log = {n: logging.getLogger("worker." + n) for n in ("payments", "mailer", "importer", "main")}
INBOX = "/srv/shop/inbox"
os.makedirs(INBOX, exist_ok=True)


def r(a, b):
    return rng.randint(a, b)


def payment(amount=None, order=None, token="tok"):
    p = {"id": r(1000, 9999), "order": order or r(1, 20000), "amount": amount or "%d.%02d" % (r(5, 300), r(0, 99)), "token": token}
    try:
        log["payments"].info("Payment %d of %s EUR taken for order %d", p["id"], payments.take(p), p["order"])
    except Exception:
        log["payments"].exception("Payment %d failed", p["id"])


def bad_amount():
    payment(rng.choice(["12,50", "EUR 9", "¥88", "n/a", "1.234,00"]))


def no_order():
    payment(order=r(30000, 99999))


def too_much():
    payment("%d.00" % r(10**9, 10**10))


def audit():
    payment(token="audit")


def reserve(how, port=9000):
    def job():
        oid = r(80000, 99999)
        try:
            log["payments"].info("Order %d reserved, %d left", oid, payments.reserve(oid, how, port))
        except OSError as e:
            if rng.random() < 0.85:
                log["payments"].warning("Order %d not reserved (%s), try %d of 5", oid, e, r(1, 4))
            else:
                log["payments"].exception("Order %d not reserved, giving up", oid)
        except Exception:
            log["payments"].exception("Order %d: unusable answer of the stock service", oid)
    return job


def mail(to="user%d@example.com", **kw):
    def job():
        who = to % r(1, 3000)
        try:
            mailer.send(who, rng.choice(["order sent", "invoice", "welcome"]), **kw)
            log["mailer"].info("Mail to %s sent", who)
        except Exception as e:
            if isinstance(e, ConnectionError) and rng.random() < 0.6:
                log["mailer"].warning("Mail to %s delayed: %s", who, e)
            else:
                log["mailer"].exception("Mail to %s failed", who)
    return job


def import_prices():
    path = "%s/prices-%d.csv" % (INBOX, r(100, 999))
    text = "sku,price\nSKU-%d,%d\nSKU-%d,%s\n" % (r(1001, 1800), r(5, 90), r(1001, 1800), zipf(rng, ["7.5", "unknown", "9,90", "暂无报价"]))
    kind = rng.random()
    if kind > 0.25:
        with open(path, "wb") as f:
            f.write((text if kind > 0.4 else text.replace("9", "价")).encode("utf-8" if kind > 0.4 else "gb18030"))
    try:
        log["importer"].info("Read %d prices from %s", len(importer.read_prices(path)), path)
    except Exception:
        log["importer"].exception("Import of %s failed", path)


def import_json():
    path = "%s/stock-%d.json" % (INBOX, r(100, 999))
    with open(path, "w") as f:
        f.write(rng.choice(['{"items": [{"sku": "SKU-%d"}]}', '{"items": [{"id": %d}]}', '{"rows": %d}', '{"items": [%d,']) % r(1001, 1800))
    try:
        log["importer"].info("Read %d items from %s", len(importer.read_json(path)), path)
    except Exception:
        log["importer"].exception("Import of %s failed", path)


# New with the release
def refund():
    p = {"id": r(1000, 9999), "amount": "%d.00" % r(5, 90), "currency": zipf(rng, ["CNY", "CHF", "SEK"]), "rates": {"EUR": 1, "CHF": 0}}
    try:
        payments.refund(p)
    except Exception:
        log["payments"].exception("Refund of payment %d failed", p["id"])


def deploy():
    log["main"].info("Worker stopping, release 2.13.4")
    log["main"].info("Worker started, release 2.14.0, pid %d", os.getpid())


counts = {payment: (24, 22), bad_amount: (5, 4), no_order: (4, 4), too_much: (2, 2), audit: (1, 3), reserve("ok"): (12, 12), reserve("slow"): (3, 30),
          reserve("ok", 9001): (8, 6), reserve("html"): (2, 2), mail(): (22, 20), mail("gone%d@example.org"): (4, 4), mail(sender="bulk@shop.example.com"): (3, 4),
          mail(port=2526): (7, 6), import_prices: (14, 13), import_json: (7, 6), refund: (0, 19)}
todo = plan(rng, counts) + [(DEPLOY + 14, deploy)] + burst(rng, "3 10:31:00", 400, 8, reserve("slow"))
for when, what in sorted(todo, key=lambda x: x[0]):
    go_to(when)
    what()
