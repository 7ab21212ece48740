CREATE ROLE shop_app LOGIN PASSWORD 'app-sample';
CREATE ROLE shop_report LOGIN PASSWORD 'report-sample';
CREATE ROLE shop_migrator LOGIN PASSWORD 'migrator-sample';
ALTER ROLE shop_report SET log_min_duration_statement = 0;
ALTER ROLE shop_report SET log_temp_files = 0;
ALTER ROLE shop_migrator SET log_statement = 'ddl';
CREATE DATABASE shop OWNER shop_migrator;
\connect shop postgres /run/postgresql
SET ROLE shop_migrator;
CREATE TABLE customers (id serial PRIMARY KEY, email text NOT NULL UNIQUE, nickname text UNIQUE, phone varchar(16));
CREATE TABLE products (id serial PRIMARY KEY, sku text NOT NULL UNIQUE, name text NOT NULL,
    price numeric(10,2) NOT NULL CONSTRAINT products_price_check CHECK (price >= 0),
    discount numeric(4,2) NOT NULL DEFAULT 0, stock int NOT NULL DEFAULT 0);
CREATE TABLE orders (id serial PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, status text NOT NULL DEFAULT 'new',
    placed_at timestamptz NOT NULL DEFAULT now(), shipped_at timestamptz, attrs jsonb);
CREATE TABLE order_items (order_id int NOT NULL REFERENCES orders, product_id int NOT NULL REFERENCES products, qty int NOT NULL,
    PRIMARY KEY (order_id, product_id));
CREATE TABLE payments (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), order_id int NOT NULL REFERENCES orders, amount numeric(10,2) NOT NULL, card_token text);
CREATE TABLE events (id bigserial, at timestamptz NOT NULL DEFAULT now(), kind text, body text);
INSERT INTO customers (email, nickname, phone) SELECT 'user' || i || '@example.com', 'user' || i, '+86138' || 10000000 + i FROM generate_series(1, 3000) i;
UPDATE customers c SET nickname = v.n FROM (VALUES (1,'王小明'),(2,'张伟'),(3,'李娜'),(4,'刘洋'),(5,'陈静'),(6,'赵磊'),(7,'黄丽'),(8,'周杰'),(9,'吴敏'),(10,'欧阳雪')) v(id, n) WHERE c.id = v.id;
INSERT INTO products (sku, name, price, stock) SELECT 'SKU-' || 1000 + i, 'product ' || i, 5 + i % 97, i % 5 FROM generate_series(1, 800) i;
INSERT INTO orders (customer_id) SELECT 1 + i % 3000 FROM generate_series(1, 20000) i;
INSERT INTO order_items SELECT i, 1 + i % 800, 1 + i % 3 FROM generate_series(1, 20000) i;
CREATE FUNCTION take_stock(pid int, n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE have int;
BEGIN
    SELECT stock INTO have FROM products WHERE id = pid FOR UPDATE;
    IF have < n THEN
        RAISE EXCEPTION '库存不足：商品 % 剩余 %，需要 %', pid, have, n USING HINT = '请减少数量或等待补货。';
    END IF;
    UPDATE products SET stock = stock - n WHERE id = pid;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO shop_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO shop_app;
GRANT SELECT ON customers, products, orders, order_items TO shop_report;
RESET ROLE;
ANALYZE;
