//! What a variable part of a log line is.

/// The kind of a variable; `style=typed` shows it in the template, `log_parse` beside the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A variable of no known or of mixed kind; also a `<*>` that already stands in the text.
    Any,
    /// A number, with sign, fraction or percent: `42`, `-3.5`, `12,000`, `99%`.
    Num,
    /// An amount of data with its unit: `256K`, `10MB`, `512 bytes`.
    Size,
    /// An amount of time with its unit: `30s`, `1.5ms`.
    Duration,
    /// A date, a time of day, or both.
    Time,
    /// An IPv4 or IPv6 address, with or without a port.
    Ip,
    /// A hardware address or another row of byte pairs.
    Mac,
    /// A UUID.
    Uuid,
    /// A hexadecimal number or digest.
    Hex,
    /// A file path.
    Path,
    /// A URL.
    Url,
    /// An e-mail address or another `name@place`.
    Email,
    /// A host name, with or without a port.
    Host,
    /// A user, found by the words around it.
    User,
    /// An identifier that mixes letters and digits: `blk_-1608`, `R25-M1-N2`.
    Id,
    /// `true`, `false`, `null` and their spellings.
    Bool,
    /// Found by a regular expression of the caller's.
    Custom,
}

const PLACEHOLDERS: [(Kind, &str); 17] = [
    (Kind::Any, "<*>"),
    (Kind::Num, "<NUM>"),
    (Kind::Size, "<SIZE>"),
    (Kind::Duration, "<DURATION>"),
    (Kind::Time, "<TIME>"),
    (Kind::Ip, "<IP>"),
    (Kind::Mac, "<MAC>"),
    (Kind::Uuid, "<UUID>"),
    (Kind::Hex, "<HEX>"),
    (Kind::Path, "<PATH>"),
    (Kind::Url, "<URL>"),
    (Kind::Email, "<EMAIL>"),
    (Kind::Host, "<HOST>"),
    (Kind::User, "<USER>"),
    (Kind::Id, "<ID>"),
    (Kind::Bool, "<BOOL>"),
    (Kind::Custom, "<CUSTOM>"),
];

impl Kind {
    /// The placeholder of this kind in a typed template.
    ///
    /// ```
    /// use datafusion_aiops::algorithms::text::Kind;
    /// assert_eq!(Kind::Ip.placeholder(), "<IP>");
    /// assert_eq!(Kind::Any.placeholder(), "<*>");
    /// ```
    pub fn placeholder(self) -> &'static str {
        PLACEHOLDERS[self as usize].1
    }

    /// The name of this kind, in upper case and without brackets; `ANY` for [`Kind::Any`].
    ///
    /// ```
    /// use datafusion_aiops::algorithms::text::Kind;
    /// assert_eq!(Kind::Duration.name(), "DURATION");
    /// assert_eq!(Kind::Any.name(), "ANY");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "ANY",
            _ => self.placeholder().trim_matches(['<', '>']),
        }
    }

    /// The placeholder at the beginning of a text: its kind and its length in bytes.
    #[inline]
    pub(crate) fn of_placeholder(text: &[u8]) -> Option<(Self, usize)> {
        match text {
            [b'<', b'*', b'>', ..] => Some((Self::Any, 3)),
            [b'<', b'A'..=b'Z', ..] => PLACEHOLDERS
                .iter()
                .find(|(_, name)| text.starts_with(name.as_bytes()))
                .map(|&(kind, name)| (kind, name.len())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_placeholder() {
        for (position, (kind, name)) in PLACEHOLDERS.iter().enumerate() {
            assert_eq!(*kind as usize, position);
            assert_eq!(
                Kind::of_placeholder(name.as_bytes()),
                Some((*kind, name.len()))
            );
        }
        assert_eq!(Kind::of_placeholder(b"<NUMBER>"), None);
        assert_eq!(Kind::of_placeholder(b"<"), None);
    }
}
