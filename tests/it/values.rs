//! Values as programs print them, kind by kind, and the texts around them: what a template must not
//! depend on.

/// A xorshift generator (Marsaglia, "Xorshift RNGs", 2003): the same values in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    /// A number of one to `digits` digits, each length equally likely.
    fn number(&mut self, digits: usize) -> usize {
        let digits = self.between(1, digits);
        self.below(10_usize.pow(digits as u32))
    }

    fn signs(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| self.one_of(&alphabet)).collect()
    }

    fn hex(&mut self, length: usize) -> String {
        self.signs("0123456789abcdef", length)
    }

    fn word(&mut self) -> &'static str {
        self.one_of(&[
            "orders", "tmp", "data", "index", "api", "users", "img", "v1", "cache", "a", "log",
            "报表",
        ])
    }

    fn name(&mut self) -> &'static str {
        self.one_of(&[
            "web", "db-main", "cache1", "node07", "mail", "gw", "shop-eu", "a1b2",
        ])
    }

    fn list(&mut self, element: fn(&mut Self) -> String, gap: &str) -> String {
        let elements: Vec<String> = (0..self.between(1, 6)).map(|_| element(self)).collect();
        elements.join(gap)
    }
}

const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A kind of values: its name, and how one is drawn.
pub(super) type Kind = (&'static str, fn(&mut Random) -> String);

/// The kinds of values.
pub(super) const KINDS: [Kind; 65] = [
    ("integer", |r| r.number(12).to_string()),
    ("signed", |r| {
        format!("{}{}", r.one_of(&["-", "+", ""]), r.number(6))
    }),
    ("fraction", |r| format!("{}.{}", r.number(5), r.number(6))),
    ("grouped", |r| {
        format!(
            "{},{:03},{:03}",
            r.between(1, 999),
            r.below(1000),
            r.below(1000)
        )
    }),
    ("scientific", |r| {
        format!(
            "{}.{}e{}{:02}",
            r.below(10),
            r.number(4),
            r.one_of(&["-", "+"]),
            r.below(30)
        )
    }),
    ("percent", |r| {
        format!("{}%", r.one_of(&["0", "7", "12.5", "100", "99.99"]))
    }),
    ("ratio", |r| format!("{}/{}", r.number(4), r.number(4))),
    ("size", |r| {
        let unit = r.one_of(&[
            "B", "K", "M", "G", "T", "KB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB",
            "Ki", "Mi", "Gi", "bytes", "kB",
        ]);
        format!("{}{unit}", r.number(6))
    }),
    ("fraction of a size", |r| {
        format!(
            "{}.{}{}",
            r.number(4),
            r.number(2),
            r.one_of(&["K", "MB", "GiB", "kbps", "MB/s", "Gbit"])
        )
    }),
    ("duration", |r| {
        let unit = r.one_of(&[
            "ns", "us", "µs", "ms", "s", "sec", "secs", "m", "min", "mins", "minutes", "h", "hrs",
            "d", "days", "seconds",
        ]);
        format!("{}{unit}", r.number(5))
    }),
    ("compound duration", |r| match r.below(4) {
        0 => format!("{}m{}s", r.below(60), r.below(60)),
        1 => format!("{}h{}m{}s", r.below(24), r.below(60), r.below(60)),
        2 => format!("{}d{}h", r.below(400), r.below(24)),
        _ => format!("{}m{}.{}s", r.below(60), r.below(60), r.number(9)),
    }),
    ("IPv4", |r| {
        format!(
            "{}.{}.{}.{}",
            r.below(256),
            r.below(256),
            r.below(256),
            r.below(256)
        )
    }),
    ("IPv4 and port", |r| {
        format!(
            "{}.{}.{}.{}:{}",
            r.below(256),
            r.below(256),
            r.below(256),
            r.below(256),
            r.below(65536)
        )
    }),
    ("network", |r| {
        format!(
            "10.{}.{}.0/{}",
            r.below(256),
            r.below(256),
            r.between(8, 32)
        )
    }),
    ("IPv6", |r| match r.below(4) {
        0 => format!("fe80::{}:{}", r.hex(4), r.hex(4)),
        1 => format!("2001:db8:{}::{}", r.hex(4), r.hex(1)),
        2 => (0..8).map(|_| r.hex(4)).collect::<Vec<_>>().join(":"),
        _ => format!("::ffff:10.0.{}.{}", r.below(256), r.below(256)),
    }),
    ("MAC", |r| {
        (0..6).map(|_| r.hex(2)).collect::<Vec<_>>().join(":")
    }),
    ("UUID", |r| {
        format!(
            "{}-{}-4{}-a{}-{}",
            r.hex(8),
            r.hex(4),
            r.hex(3),
            r.hex(3),
            r.hex(12)
        )
    }),
    ("digest", |r| {
        let n = r.one_of(&[32, 40, 64]);
        r.hex(n)
    }),
    ("short digest", |r| {
        let n = r.between(8, 12);
        r.hex(n)
    }),
    ("address", |r| {
        let n = r.between(1, 16);
        format!("0x{}", r.hex(n))
    }),
    ("time", |r| {
        format!(
            "2026-{:02}-{:02}T{:02}:{:02}:{:02}{}",
            r.between(1, 12),
            r.between(1, 28),
            r.below(24),
            r.below(60),
            r.below(60),
            r.one_of(&["Z", ".5Z", ".123456Z", "+08:00", "", ".123+0200"])
        )
    }),
    ("time with a blank", |r| {
        format!(
            "2026-{:02}-{:02} {:02}:{:02}:{:02}{}",
            r.between(1, 12),
            r.between(1, 28),
            r.below(24),
            r.below(60),
            r.below(60),
            r.one_of(&["", ",123", ".123456", " UTC", " +0000"])
        )
    }),
    ("time of day", |r| {
        format!(
            "{:02}:{:02}:{:02}{}",
            r.below(24),
            r.below(60),
            r.below(60),
            r.one_of(&["", ".1", ".123456", ",789"])
        )
    }),
    ("date", |r| {
        let dash = r.one_of(&["-", "/"]);
        format!(
            "2026{dash}{:02}{dash}{:02}",
            r.between(1, 12),
            r.between(1, 28)
        )
    }),
    ("date of mail", |r| {
        let day = r.one_of(&["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]);
        let month = r.one_of(&["Jan", "Feb", "Mar", "May", "Jun", "Dec"]);
        format!(
            "{day}, {:02} {month} 2026 {:02}:{:02}:{:02} {}",
            r.between(1, 28),
            r.below(24),
            r.below(60),
            r.below(60),
            r.one_of(&["GMT", "+0000"])
        )
    }),
    ("path", |r| {
        let depth = r.between(1, 5);
        let mut path: String = (0..depth).map(|_| format!("/{}", r.word())).collect();
        path += r.one_of(&["", ".log", ".xlsx", "-1.txt", "_7.tar.gz", ".txt.1"]);
        path
    }),
    ("path with signs", |r| {
        format!(
            "/{}/{}{}{}",
            r.word(),
            r.word(),
            r.one_of(&[
                "(1)", " (1)", ",b", "[0]", "{a}", "=x", "+b", "@2", "~", "#1", "%20b"
            ]),
            r.one_of(&[".txt", ".log", ".tar.gz"])
        )
    }),
    ("path of Windows", |r| {
        format!(
            "{}:\\{}\\{}{}",
            r.one_of(&["C", "D", "e"]),
            r.word(),
            r.word(),
            r.one_of(&[".txt", ".exe", "", "\\a.log", "(1).txt", "\\用户\\a.log"])
        )
    }),
    ("URL", |r| {
        format!(
            "{}://{}{}{}",
            r.one_of(&["http", "https", "s3", "hdfs", "jdbc:mysql", "postgres"]),
            r.one_of(&[
                "a.example.com",
                "10.0.0.7:8080",
                "db",
                "user@web-1",
                "[::1]:80"
            ]),
            r.one_of(&["", "/", "/a", "/a/b.html", "/搜索", "/a,b", "/a(b)"]),
            r.one_of(&[
                "",
                "?q=1",
                "?q=手机",
                "?a[]=1&a[]=2",
                "?x=a,b&y=(1)",
                "#top"
            ])
        )
    }),
    ("address of mail", |r| {
        format!(
            "{}@{}",
            r.one_of(&["alice", "bob.smith", "x+y", "no-reply", "7"]),
            r.one_of(&["example.com", "mail.example.org", "localhost", "b.cn"])
        )
    }),
    ("host", |r| {
        format!(
            "{}.{}",
            r.name(),
            r.one_of(&[
                "example.com",
                "shop.internal",
                "svc.cluster.local",
                "example.org",
                "prod.example.net"
            ])
        )
    }),
    ("host and port", |r| {
        format!(
            "{}.{}:{}",
            r.name(),
            r.one_of(&[
                "example.com",
                "shop.internal",
                "example.org",
                "shop.io",
                "acme.de"
            ]),
            r.between(1, 65535)
        )
    }),
    ("base64", |r| {
        let n = r.between(4, 12);
        let text = r.signs(&format!("{BASE62}+/"), 4 * n - 2);
        format!("{text}==")
    }),
    ("base58", |r| {
        let n = r.between(20, 34);
        r.signs(
            "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
            n,
        )
    }),
    ("base62", |r| {
        let n = r.between(20, 27);
        r.signs(BASE62, n)
    }),
    ("ULID", |r| {
        format!("01{}", r.signs("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24))
    }),
    ("request id", |r| {
        format!("{}_{}", r.one_of(&["req", "cus", "trace_id"]), {
            let n = r.between(20, 24);
            r.signs(BASE62, n)
        })
    }),
    ("pod", |r| {
        format!(
            "{}-{}-{}",
            r.one_of(&["web", "coredns", "fluentd", "api-gateway"]),
            r.signs("bcdfghjklmnpqrstvwxz2456789", 10),
            r.signs("bcdfghjklmnpqrstvwxz2456789", 5)
        )
    }),
    ("token", |r| {
        let (a, b, c) = (r.between(20, 40), r.between(40, 90), 43);
        format!(
            "eyJ{}.eyJ{}.{}",
            r.signs(BASE62, a),
            r.signs(BASE62, b),
            r.signs(BASE62, c)
        )
    }),
    ("money", |r| {
        format!(
            "{}{}.{:02}",
            r.one_of(&["$", "£"]),
            r.number(5),
            r.below(100)
        )
    }),
    ("version", |r| {
        format!(
            "{}{}.{}.{}{}",
            r.one_of(&["v", ""]),
            r.number(2),
            r.number(2),
            r.number(3),
            r.one_of(&["", "-beta.1", "-rc2", "+build7", "-SNAPSHOT"])
        )
    }),
    ("ARN", |r| {
        format!(
            "arn:aws:{}:eu-west-1:{:012}:{}",
            r.one_of(&["s3", "lambda", "iam"]),
            r.number(12),
            r.one_of(&["function/orders", "bucket/a-1", "role/admin"])
        )
    }),
    ("image", |r| {
        format!(
            "{}/{}:{}",
            r.one_of(&["registry.example.com", "docker.io/library", "ghcr.io/acme"]),
            r.one_of(&["web", "api-gateway", "db"]),
            r.one_of(&["1.2.3", "latest", "v7", "sha-1f2e3d4"])
        )
    }),
    ("thread", |r| {
        format!(
            "{}-{}-{}-{}",
            r.one_of(&["pool", "nio", "grpc"]),
            r.number(3),
            r.one_of(&["thread", "exec"]),
            r.number(3)
        )
    }),
    ("temperature", |r| {
        format!("{}{}.{}°C", r.one_of(&["-", ""]), r.number(3), r.below(10))
    }),
    ("ISO duration", |r| {
        format!("PT{}H{}M{}S", r.below(24), r.below(60), r.below(60))
    }),
    ("date of a web server", |r| {
        format!(
            "{:02}/{}/2026:{:02}:{:02}:{:02} +0000",
            r.between(1, 28),
            r.one_of(&["Jan", "Jun", "Dec"]),
            r.below(24),
            r.below(60),
            r.below(60)
        )
    }),
    ("date of syslog", |r| {
        format!(
            "{} {:2} {:02}:{:02}:{:02}",
            r.one_of(&["Jan", "May", "Dec"]),
            r.between(1, 28),
            r.below(24),
            r.below(60),
            r.below(60)
        )
    }),
    ("date of C", |r| {
        format!(
            "{} {} {:2} {:02}:{:02}:{:02} 2026",
            r.one_of(&["Mon", "Tue", "Sun"]),
            r.one_of(&["Jan", "May", "Dec"]),
            r.between(1, 28),
            r.below(24),
            r.below(60),
            r.below(60)
        )
    }),
    ("range of addresses", |r| {
        format!("0x{}-0x{}", r.hex(8), r.hex(8))
    }),
    ("MAC with dashes", |r| {
        (0..6).map(|_| r.hex(2)).collect::<Vec<_>>().join("-")
    }),
    ("capital hex", |r| r.signs("0123456789ABCDEF", 16)),
    ("resolution", |r| {
        format!("{}x{}", r.between(100, 4000), r.between(100, 4000))
    }),
    ("query", |r| {
        format!("/a?id={}&page={}", r.number(5), r.number(2))
    }),
    ("SID", |r| {
        format!("S-1-5-21-{}-{}-{}", r.number(9), r.number(9), r.number(4))
    }),
    ("serial", |r| {
        (0..16).map(|_| r.hex(2)).collect::<Vec<_>>().join(":")
    }),
    ("ordinal", |r| format!("{}th", r.number(3))),
    ("epoch", |r| {
        format!(
            "1{:09}{}",
            r.below(1000000000),
            r.one_of(&["", ".123", "000", ".123456"])
        )
    }),
    ("trace", |r| format!("00-{}-{}-01", r.hex(32), r.hex(16))),
    ("s3", |r| {
        format!("s3://bucket-{}/a/{}.parquet", r.number(3), r.hex(8))
    }),
    ("clock", |r| format!("{}:{:02}", r.below(24), r.below(60))),
    ("clock with half", |r| {
        format!(
            "{}:{:02} {}",
            r.between(1, 12),
            r.below(60),
            r.one_of(&["AM", "PM"])
        )
    }),
    ("namespace and pod", |r| {
        format!(
            "{}/{}-{}-{}",
            r.one_of(&["default", "kube-system"]),
            r.one_of(&["web", "coredns"]),
            r.hex(10),
            r.signs("bcdfghjklmnpqrstvwxz2456789", 5)
        )
    }),
    ("user and host", |r| {
        format!(
            "{}@{}",
            r.one_of(&["root", "deploy"]),
            r.one_of(&["web-1", "10.0.0.1", "db"])
        )
    }),
    ("ip with name", |r| {
        format!(
            "{}/10.0.{}.{}:{}",
            r.one_of(&["web-1", "localhost", "", "db.example.com"]),
            r.below(256),
            r.below(256),
            r.number(4)
        )
    }),
];

/// Lists are values too, but in brackets.
pub(super) const LISTS: [Kind; 4] = [
    ("numbers", |r| r.list(|r| r.number(6).to_string(), ", ")),
    ("numbers without blanks", |r| {
        r.list(|r| r.number(6).to_string(), ",")
    }),
    ("addresses", |r| {
        r.list(|r| format!("10.0.{}.{}", r.below(256), r.below(256)), ", ")
    }),
    ("strings", |r| r.list(|r| format!("'{}'", r.word()), ", ")),
];

/// The texts around a value, which is `@`.
pub(super) const NEIGHBOURHOODS: [&str; 38] = [
    "@ is what came",
    "what came was @",
    "rejected @ at the gate",
    "rejected value=@ at the gate",
    "rejected (value=@) again",
    "rejected value: @ again",
    "rejected (@) again",
    "rejected [@] again",
    "rejected \"@\" again",
    "rejected '@' again",
    "rejected @, tried again",
    "rejected @; tried again",
    "it was rejected @.",
    "rejected: @",
    "value=@, tried again",
    "value=@;next=b",
    "value=\"@\" next",
    "value -> @ stored",
    "连接 @ 超时",
    "连接：@，超时",
    "@: refused",
    "rejected <@> again",
    "rejected {@} again",
    "value=@|next=b",
    "rejected @...",
    "rejected @!",
    "rejected \"@\", tried",
    "值是 @。",
    "（@）超时",
    "rejected  @  again",
    "rejected `@` again",
    "关闭“@”失败",
    "value @-> b",
    "it [value=@] c",
    "x(@)",
    "\"value\":\"@\",",
    "{value=@, b=c}",
    "rejected (@, again)",
];
