"""Load for nginx: requests of a shop's visitors, of some scanners and uploaders."""
import os
import socket
import time
import uuid
from base64 import b64encode

from fakeclock import DEPLOY, at, burst, go_to, plan, rng, zipf

AGENTS = ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/133.0.0.0",
          "Mozilla/5.0 (Linux; Android 15) Chrome/132.0.0.0 Mobile", "ShopApp/5.2.1 (Android)", "ShopApp/5.3.0 (iOS)", "curl/8.5.0", "okhttp/4.12.0"]
# addresses kept for documentation (RFC 5737, RFC 3849)
CLIENTS = ["%s.%d" % (net, n) for n in rng.sample(range(1, 255), 60) for net in ("203.0.113", "198.51.100", "192.0.2")] + \
          ["2001:db8:%x::%x" % (rng.randint(1, 65535), rng.randint(1, 65535)) for _ in range(25)]
rng.shuffle(CLIENTS)


def r(a, b):
    return rng.randint(a, b)


def send(path, method="GET", client=None, body=0, wait=True, host="shop.example.com", **headers):
    agent, referer = zipf(rng, AGENTS), rng.random() < 0.3 and "https://shop.example.com/cart"
    h = {"Host": host, "X-Forwarded-For": client or zipf(rng, CLIENTS), "User-Agent": agent, "Connection": "close"}
    h.update({k.replace("_", "-"): str(v) for k, v in headers.items()})
    if referer:
        h["Referer"] = referer
    if body:
        h["Content-Length"] = str(body)
    raw = ("%s %s HTTP/1.1\r\n" % (method, path) + "".join("%s: %s\r\n" % kv for kv in h.items()) + "\r\n").encode()
    s = socket.create_connection(("127.0.0.1", 80), timeout=3)
    try:
        s.sendall(raw)
        if body:
            s.sendall(b"z" * body)
        while wait and s.recv(65536):
            pass
    except OSError:
        pass
    if not wait:
        return s
    s.close()


def uid():
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def page():
    asset = "77b0de" if time.time() >= DEPLOY else "3f9c1a"
    send(rng.choice(["/", "/", "/img/p%d.jpg" % rng.choice([1001, 1002, 1003, 1010, 1025, 1038]), "/assets/app.%s.js" % asset, "/assets/site.%s.css" % asset]))


def api():
    send(rng.choice(["/api/products/%d" % r(1, 800), "/api/search?q=%s" % rng.choice(["shoes", "lamp", "%E8%8C%B6", "desk+lamp"]),
                     "/api/orders/%s" % uid(), "/api/cart/%08x" % rng.getrandbits(32)]), X_Size=r(80, 4000),
         X_Status=rng.choices(["200 OK", "304 Not Modified", "404 Not Found", "500 Internal Server Error"], [90, 3, 5, 2])[0])


def buy():
    send(rng.choice(["/api/checkout/%s" % uid(), "/api/pay/%d" % r(80000, 99999)]), "POST", body=r(50, 900), X_Size=r(60, 300))


def no_image():
    send("/img/p%d.jpg" % r(1041, 1999))


def no_file():
    send(rng.choice(["/assets/app.%06x.js.map" % r(0, 2**24 - 1), "/assets/fonts/inter-%d.woff2" % r(1, 9), "/uploads/%s.png" % uid()]))


def scan():
    client = rng.choice(CLIENTS[-20:])
    for p in rng.sample(["/uploads/shell.php", "/img/.env", "/assets/wp-login.php", "/img/../.git/config", "/uploads/%2e%2e/etc/passwd", "/private/backup.sql",
                         "/private/keys.json", "/assets/config.php.bak", "/ops/", "/img/phpmyadmin/index.php"], r(1, 5)):
        send(p, client=client, User_Agent="Mozilla/5.0 zgrab/0.x")


def old_link():
    send("/old/item/%d" % r(1, 800))


def forbidden_file():
    send("/img/p%d.jpg" % zipf(rng, [1007, 1019, 1033]))


def no_index():
    send(rng.choice(["/uploads/", "/img/", "/assets/"]))


def bad_login():
    send("/ops/status", client=rng.choice(CLIENTS[-20:]), Authorization="Basic " + b64encode(("%s:x%d" % (rng.choice(["admin", "root", "ops", "test", "运维"]), r(1, 99))).encode()).decode())


def refused():
    """One of the two checkout servers is down; nginx tries the other."""
    a = rng.choice(["10.20.0.21", "10.20.0.22"])
    down(a)
    for _ in range(r(1, 2)):
        buy()
    up(a)


def outage():
    """Both are down: refused, then no live upstreams."""
    down("10.20.0.21", "10.20.0.22")
    for _ in range(r(5, 8)):
        buy()
    up("10.20.0.21", "10.20.0.22")


def down(*addresses):
    for a in addresses:
        open("/run/down." + a, "w").close()
    time.sleep(0.04)


def up(*addresses):
    for a in addresses:
        os.remove("/run/down." + a)
    time.sleep(0.04)


def slow():
    path = rng.choice(["/api/checkout/%s" % uid(), "/api/pay/%d" % r(80000, 99999), "/api/products/%d/stock" % r(1, 800)])
    send(path, "GET" if "products" in path else "POST", X_Do="slow")


def closed():
    send(rng.choice(["/api/orders/%s" % uid(), "/api/products/%d" % r(1, 800)]), X_Do="quit")


def reset():
    send("/api/products/%d/reviews?page=%d" % (r(1, 800), r(1, 30)), X_Do="reset")


def junk():
    send("/api/cart/%08x" % rng.getrandbits(32), X_Do="junk")


def short():
    send("/api/orders/%s" % uid(), X_Do="short")


def large():
    send("/api/upload/%s" % uid(), "POST", body=r(98500, 3_000_000))


def buffered():
    send("/api/upload/%s" % uid(), "POST", body=r(17_000, 90_000))


def big():
    s = send("/api/export/orders?customer=%d" % r(1, 3000), X_Size=r(6_000_000, 9_000_000), wait=False)
    time.sleep(0.1)
    while s.recv(1 << 20):
        pass
    s.close()


def hammer():
    """Many logins or searches from one address at once."""
    client, path = rng.choice(CLIENTS), rng.choice(["/api/login", "/api/login", "/api/search?q=a%d" % r(1, 99)])
    held = [send(path, client=client, wait=False) for _ in range(r(5, 9))]
    for s in held:
        while s.recv(65536):
            pass
        s.close()


# New with the release: a cart cookie too big for nginx, quotes that close early, and the old bundles are gone
def big_cookie():
    send("/api/cart/%08x" % rng.getrandbits(32), X_Do="bighead")


def quote():
    send("/api/v2/quotes/%s" % uid(), "POST", X_Do="quit")


def old_bundle():
    send(rng.choice(["/assets/app.3f9c1a.js", "/assets/app.3f9c1a.js", "/assets/site.3f9c1a.css"]))


def deploy():
    for f in ("app.3f9c1a.js", "site.3f9c1a.css"):
        os.remove("/srv/shop/www/assets/" + f)
    outage()


counts = {page: (80, 80), api: (98, 98), buy: (45, 45), no_image: (60, 57), no_file: (28, 25), scan: (14, 14), old_link: (10, 9),
          forbidden_file: (16, 17), no_index: (6, 6), bad_login: (14, 15), refused: (14, 16), slow: (16, 84), closed: (9, 11), reset: (7, 8),
          junk: (6, 5), short: (5, 6), large: (15, 14), buffered: (14, 14), big: (6, 6), hammer: (9, 10),
          big_cookie: (0, 24), quote: (0, 34), old_bundle: (0, 40)}
todo = plan(rng, counts) + [(at("2 16:05:12"), outage), (at("3 11:48:55"), outage), (DEPLOY + 2, deploy)]
todo += burst(rng, "3 10:31:00", 400, 30, slow)
for when, what in sorted(todo, key=lambda x: x[0]):
    go_to(when)
    what()
