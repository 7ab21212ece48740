//! Random queries that both DataFusion and SQLite understand, with answers that are fully
//! determined: ties of an ORDER BY are equal rows, and frames go by value.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

/// The columns that the tables share: whole numbers, except for `name`.
pub(super) const TABLES: [(&str, &[&str]); 5] = [
    ("a", &["id", "name", "v", "k"]),
    ("b", &["id", "name", "v"]),
    ("c", &["v", "k", "id", "name"]),
    ("d", &["name", "k"]),
    ("e", &["k", "id", "v", "name"]),
];

/// Makes queries.
pub(super) struct Generator {
    random: SplitMix64,
    n_aliases: usize,
}

/// A column that can be named, and whether it is a text.
#[derive(Debug, Clone)]
struct Column {
    name: String,
    is_text: bool,
}

/// A query and its columns.
struct Query {
    sql: String,
    columns: Vec<Column>,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: SplitMix64::seed_from_u64(seed),
            n_aliases: 0,
        }
    }

    /// A number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.random.next_u64() % n as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// The next query.
    pub(super) fn query(&mut self) -> String {
        self.n_aliases = 0;
        let query = self.set_or_select(2);
        if !self.chance(40) {
            return query.sql;
        }
        let order = (1..=query.columns.len()).map(|column| {
            let order = self.one_of(&["ASC NULLS FIRST", "DESC NULLS LAST", "ASC NULLS LAST"]);
            format!("{column} {order}")
        });
        let order = order.collect::<Vec<_>>().join(", ");
        let limit = self.below(6);
        format!("{} ORDER BY {order} LIMIT {limit}", query.sql)
    }

    fn set_or_select(&mut self, depth: usize) -> Query {
        if depth == 0 || !self.chance(15) {
            return self.select(depth);
        }
        let operator = self.one_of(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
        let (left, right) = (self.select(depth - 1), self.select(depth - 1));
        let n_columns = left.columns.len().min(right.columns.len());
        let same = left.columns.iter().zip(&right.columns);
        let fits = same
            .take_while(|(left, right)| left.is_text == right.is_text)
            .count();
        if fits < n_columns || left.columns.len() != right.columns.len() {
            return left;
        }
        let sql = format!(
            "SELECT * FROM ({}) {operator} SELECT * FROM ({})",
            left.sql, right.sql
        );
        Query {
            sql,
            columns: left.columns,
        }
    }

    fn select(&mut self, depth: usize) -> Query {
        let (from, scope) = self.from(depth);
        let condition = if self.chance(60) {
            format!(" WHERE {}", self.predicate(&scope, depth))
        } else {
            String::new()
        };
        match self.below(10) {
            0..=3 => self.plain(&from, &condition, &scope),
            4..=7 => self.grouped(&from, &condition, &scope),
            _ => self.windowed(&from, &condition, &scope),
        }
    }

    fn plain(&mut self, from: &str, condition: &str, scope: &[Column]) -> Query {
        let distinct = if self.chance(25) { "DISTINCT " } else { "" };
        let (items, columns) = self.items(scope, 3);
        let sql = format!("SELECT {distinct}{items} FROM {from}{condition}");
        Query { sql, columns }
    }

    fn items(&mut self, scope: &[Column], most: usize) -> (String, Vec<Column>) {
        let n_items = 1 + self.below(most);
        let chosen: Vec<Column> = (0..n_items).map(|_| self.one_of(scope)).collect();
        named(chosen)
    }

    fn grouped(&mut self, from: &str, condition: &str, scope: &[Column]) -> Query {
        let n_keys = self.below(3);
        let keys: Vec<Column> = (0..n_keys).map(|_| self.one_of(scope)).collect();
        let mut chosen = keys.clone();
        for _ in 0..=self.below(2) {
            chosen.push(self.aggregate(scope));
        }
        let (items, columns) = named(chosen);
        let by: Vec<_> = keys.iter().map(|key| key.name.as_str()).collect();
        let by = if by.is_empty() {
            String::new()
        } else {
            format!(" GROUP BY {}", by.join(", "))
        };
        let having = if !by.is_empty() && self.chance(25) {
            let aggregate = self.aggregate(scope);
            format!(
                " HAVING {} IS NOT NULL AND count(*) >= {}",
                aggregate.name,
                self.below(3)
            )
        } else {
            String::new()
        };
        let sql = format!("SELECT {items} FROM {from}{condition}{by}{having}");
        Query { sql, columns }
    }

    fn aggregate(&mut self, scope: &[Column]) -> Column {
        let column = self.one_of(scope);
        let name = &column.name;
        let choices = if column.is_text {
            vec![
                (format!("min({name})"), true),
                (format!("max({name})"), true),
                (format!("count(DISTINCT {name})"), false),
            ]
        } else {
            vec![
                ("count(*)".to_string(), false),
                (format!("sum({name})"), false),
                (format!("min({name})"), false),
                (format!("max({name})"), false),
                (format!("count(DISTINCT {name})"), false),
                (format!("sum({name}) FILTER (WHERE {name} > 2)"), false),
            ]
        };
        let (name, is_text) = self.one_of(&choices);
        Column { name, is_text }
    }

    fn windowed(&mut self, from: &str, condition: &str, scope: &[Column]) -> Query {
        let (by, order, value) = (self.one_of(scope), self.one_of(scope), self.number(scope));
        let over = match self.below(3) {
            0 => format!("(PARTITION BY {})", by.name),
            1 => format!("(ORDER BY {} ASC NULLS FIRST)", order.name),
            _ => format!(
                "(PARTITION BY {} ORDER BY {} DESC NULLS LAST)",
                by.name, order.name
            ),
        };
        let function = self.one_of(&["sum", "min", "max", "count"]);
        let call = if over.contains("ORDER BY") && self.chance(40) {
            format!("rank() OVER {over}")
        } else {
            format!("{function}({}) OVER {over}", value.name)
        };
        let call = Column {
            name: call,
            is_text: false,
        };
        let (items, columns) = named(vec![by, order, call]);
        let sql = format!("SELECT {items} FROM {from}{condition}");
        Query { sql, columns }
    }

    /// Relations that are joined, and the columns that can be named.
    fn from(&mut self, depth: usize) -> (String, Vec<Column>) {
        let (mut sql, mut scope) = self.relation(depth);
        for _ in 0..self.one_of(&[0, 1, 1, 2, 2, 3]) {
            let (right, columns) = self.relation(depth);
            let kind = self.one_of(&[
                "JOIN",
                "JOIN",
                "JOIN",
                "LEFT JOIN",
                "RIGHT JOIN",
                "FULL JOIN",
                "CROSS JOIN",
            ]);
            let condition = match kind {
                "CROSS JOIN" => String::new(),
                _ => format!(" ON {}", self.join_condition(&scope, &columns)),
            };
            scope.extend(columns);
            sql = format!("{sql} {kind} {right}{condition}");
        }
        (sql, scope)
    }

    fn relation(&mut self, depth: usize) -> (String, Vec<Column>) {
        let alias = format!("t{}", self.n_aliases);
        self.n_aliases += 1;
        let of_alias = |name: &str, is_text| Column {
            name: format!("{alias}.{name}"),
            is_text,
        };
        if depth > 0 && self.chance(25) {
            let query = self.set_or_select(depth - 1);
            let columns = query
                .columns
                .iter()
                .map(|column| of_alias(&column.name, column.is_text));
            return (format!("({}) AS {alias}", query.sql), columns.collect());
        }
        let (table, columns) = self.one_of(&TABLES);
        let columns = columns.iter().map(|name| of_alias(name, *name == "name"));
        (format!("{table} AS {alias}"), columns.collect())
    }

    fn join_condition(&mut self, left: &[Column], right: &[Column]) -> String {
        let mut all = left.to_vec();
        all.extend_from_slice(right);
        let mut parts = vec![];
        for _ in 0..=self.below(2) {
            let of_right = self.one_of(right);
            let same: Vec<_> = left
                .iter()
                .filter(|column| column.is_text == of_right.is_text)
                .cloned()
                .collect();
            let Some(of_left) = (!same.is_empty()).then(|| self.one_of(&same)) else {
                parts.push(self.comparison(&all));
                continue;
            };
            let operator = self.one_of(&["=", "=", "=", "IS NOT DISTINCT FROM", "<"]);
            let other = self.number(left);
            let is_sum = !of_left.is_text && self.chance(25);
            parts.push(if is_sum {
                format!("{} = {} - {}", of_right.name, of_left.name, other.name)
            } else {
                format!("({} {operator} {})", of_left.name, of_right.name)
            });
        }
        parts.join(" AND ")
    }

    /// A column of whole numbers, or a number.
    fn number(&mut self, scope: &[Column]) -> Column {
        let numbers: Vec<_> = scope
            .iter()
            .filter(|column| !column.is_text)
            .cloned()
            .collect();
        if numbers.is_empty() {
            Column {
                name: self.below(5).to_string(),
                is_text: false,
            }
        } else {
            self.one_of(&numbers)
        }
    }

    fn comparison(&mut self, scope: &[Column]) -> String {
        let column = self.one_of(scope);
        let name = &column.name;
        let value = if column.is_text {
            format!("'{}'", self.one_of(&["x", "y", "z", ""]))
        } else {
            self.below(6).to_string()
        };
        let operator = self.one_of(&["=", "<", ">=", "<>", "IS DISTINCT FROM"]);
        match self.below(5) {
            0 => format!("{name} IS NULL"),
            1 => format!("{name} IN ({value}, {value})"),
            _ => format!("({name} {operator} {value})"),
        }
    }

    fn predicate(&mut self, scope: &[Column], depth: usize) -> String {
        match self.below(12) {
            0..=4 => self.comparison(scope),
            5 => format!(
                "({} AND {})",
                self.comparison(scope),
                self.predicate(scope, depth)
            ),
            6 => format!("({} OR {})", self.comparison(scope), self.comparison(scope)),
            7 => format!("NOT ({})", self.comparison(scope)),
            8 | 9 if depth > 0 => self.subquery(scope),
            _ => {
                let (left, right) = (self.one_of(scope), self.one_of(scope));
                if left.is_text == right.is_text {
                    format!("{} = {}", left.name, right.name)
                } else {
                    self.comparison(scope)
                }
            }
        }
    }

    /// A condition with a subquery over one table.
    fn subquery(&mut self, scope: &[Column]) -> String {
        let (table, columns) = self.relation(0);
        let (outer, inner) = (self.one_of(scope), self.one_of(&columns));
        let is_same = outer.is_text == inner.is_text;
        let not = if self.chance(30) { "NOT " } else { "" };
        match self.below(3) {
            0 if is_same => format!(
                "{} {not}IN (SELECT {} FROM {table} WHERE {})",
                outer.name,
                inner.name,
                self.comparison(&columns)
            ),
            1 if is_same => format!(
                "{not}EXISTS (SELECT 1 FROM {table} WHERE {} = {})",
                inner.name, outer.name
            ),
            _ => {
                let (outer, inner) = (self.number(scope), self.number(&columns));
                format!(
                    "{} <= (SELECT max({}) FROM {table})",
                    outer.name, inner.name
                )
            }
        }
    }
}

/// A select list whose items have distinct names.
fn named(chosen: Vec<Column>) -> (String, Vec<Column>) {
    let names = ["name", "id", "v", "k", "w", "n"];
    let mut columns = vec![];
    let mut items = vec![];
    for (column, name) in chosen.iter().zip(names) {
        items.push(format!("{} AS {name}", column.name));
        columns.push(Column {
            name: name.to_string(),
            is_text: column.is_text,
        });
    }
    (items.join(", "), columns)
}
