"""What the shop's programs talk to: a stock service (port 9000; the last part
of the path tells how it answers) and a mail server (port 2525)."""
import socketserver
import threading
import time

REPLY = {"ok": b"HTTP/1.0 200 OK\r\n\r\n{\"stock\": 7}", "lag": b"HTTP/1.0 200 OK\r\n\r\n{\"stock\": 3}", "busy": b"HTTP/1.0 503 Service Unavailable\r\n\r\n",
         "html": b"HTTP/1.0 200 OK\r\n\r\n<html>maintenance</html>", "slow": b"", "drop": b""}


class Stock(socketserver.StreamRequestHandler):
    def handle(self):
        do = self.rfile.readline().split()[1].decode().rpartition("/")[2]
        while self.rfile.readline().strip():
            pass
        time.sleep({"slow": 0.4, "lag": 0.09}.get(do, 0.002))
        self.wfile.write(REPLY[do])


class Mail(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 mail.shop.example.com ESMTP\r\n")
        text = False
        for line in self.rfile:
            if text and line != b".\r\n":
                continue
            text = line[:4].upper() == b"DATA"
            verb, rest = line[:4].upper(), line[5:].strip()
            if verb == b"RCPT" and b"gone" in rest:
                self.wfile.write(b"550 5.1.1 " + rest[3:] + b": mailbox unavailable\r\n")
            elif verb == b"MAIL" and b"bulk" in rest:
                self.wfile.write(b"452 4.2.2 too many messages, try again later\r\n")
            else:
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"354 go on\r\n" if verb == b"DATA" else b"250 ok\r\n")
            if verb == b"QUIT":
                return


socketserver.ThreadingTCPServer.allow_reuse_address = True
for port, handler in ((9000, Stock), (2525, Mail)):
    threading.Thread(target=socketserver.ThreadingTCPServer(("10.20.0.31", port), handler).serve_forever).start()
