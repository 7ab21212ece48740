"""Takes payments: books them in the database and asks the stock service."""
import json
import urllib.request
from decimal import Decimal

import psycopg2


class PaymentError(Exception):
    pass


def parse_amount(text):
    return Decimal(text).quantize(Decimal("0.01"))


def book(order_id, amount, token):
    db = psycopg2.connect(host="10.20.0.21", user="shop_app", password="app-sample", dbname="shop", connect_timeout=2)
    try:
        with db, db.cursor() as cur:
            cur.execute("SET LOCAL statement_timeout = 150")
            if token == "audit":
                cur.execute("SELECT count(*) FROM orders a, orders b WHERE a.id + b.id = %s", (-order_id,))
            cur.execute("INSERT INTO payments (order_id, amount, card_token, currency) VALUES (%s, %s, %s, 'EUR')", (order_id, amount, token))
    finally:
        db.close()


def reserve(order_id, how, port):
    url = "http://10.20.0.31:%d/reserve/%d/%s" % (port, order_id, how)
    with urllib.request.urlopen(url, timeout=0.2) as answer:
        return json.loads(answer.read())["stock"]


def take(payment):
    amount = parse_amount(payment["amount"])
    try:
        book(payment["order"], amount, payment["token"])
    except psycopg2.Error as e:
        raise PaymentError("payment %s not booked" % payment["id"]) from e
    return amount


# since release 2.14.0
def refund(payment):
    rate = payment["rates"][payment["currency"]]
    return parse_amount(payment["amount"]) / rate
