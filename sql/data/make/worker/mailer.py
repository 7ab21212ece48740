"""Sends the mails of the shop."""
import smtplib


def send(to, subject, port=2525, sender="orders@shop.example.com"):
    with smtplib.SMTP("10.20.0.31", port, local_hostname="worker", timeout=1) as smtp:
        smtp.sendmail(sender, [to], "Subject: %s\r\n\r\nHello" % subject)
