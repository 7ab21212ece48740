-- release 2.14.0: discounts move to price lists, payments get a currency
ALTER TABLE products DROP COLUMN discount;
ALTER TABLE payments
    ADD COLUMN currency char(3);
ALTER TABLE payments
    ALTER COLUMN currency SET NOT NULL;
CREATE TABLE price_lists (
    id serial PRIMARY KEY,
    product_id int NOT NULL REFERENCES products,
    valid_from date NOT NULL,
    discount numeric(4,2) NOT NULL DEFAULT 0
);
CREATE TABLE refunds (
    id serial PRIMARY KEY,
    payment_id uuid NOT NULL,
    amount numeric(10,2) NOT NULL,
    reason text
);
GRANT SELECT, INSERT ON price_lists, refunds TO shop_app;
