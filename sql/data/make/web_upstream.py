"""The upstreams behind nginx. What each request does is told by its headers
X-Do (ok, slow, reset, junk, bighead, short, 500) and, for port 8082, by the
files /run/down.ADDRESS: while one exists, that address refuses connections."""
import os
import socket
import threading
import time


def answer(c):
    with c:
        data = b""
        while b"\r\n\r\n" not in data:
            part = c.recv(65536)
            if not part:
                return
            data += part
        head, body = data.split(b"\r\n\r\n", 1)
        h = {k.lower(): v.strip() for k, _, v in (l.partition(":") for l in head.decode("latin-1").split("\r\n")[1:])}
        left = int(h.get("content-length", 0)) - len(body)
        while left > 0:
            left -= len(c.recv(65536))
        do = h.get("x-do", "ok")
        size = int(h.get("x-size", 120))
        if do == "slow":
            time.sleep(0.4)
        elif do == "reset":
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif do == "junk":
            c.sendall(b"panic: out of memory\r\n\r\n")
        elif do == "bighead":
            c.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: cart=" + b"x" * 9000 + b"\r\n\r\n")
        elif do == "short":
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{")
        elif do == "quit":
            pass
        else:
            c.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (h.get("x-status", "200 OK").encode(), size) + b"x" * size)


def one(c):
    try:
        answer(c)
    except OSError:
        pass


def serve(address, port):
    while True:
        if os.path.exists("/run/down." + address):
            time.sleep(0.005)
            continue
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.listen(64)
        s.settimeout(0.01)
        while not os.path.exists("/run/down." + address):
            try:
                c, _ = s.accept()
                c.setblocking(True)
                threading.Thread(target=one, args=(c,), daemon=True).start()
            except TimeoutError:
                pass
        s.close()


for a, p in (("10.20.0.11", 8081), ("10.20.0.12", 8081), ("10.20.0.21", 8082), ("10.20.0.22", 8082)):
    threading.Thread(target=serve, args=(a, p)).start()
