"""Reads the files that suppliers leave in /srv/shop/inbox."""
import csv
import json


def read_prices(path):
    with open(path, encoding="utf-8") as f:
        return {row["sku"]: float(row["price"]) for row in csv.DictReader(f)}


def read_json(path):
    with open(path, encoding="utf-8") as f:
        return [item["sku"] for item in json.load(f)["items"]]
