//! The kinds of variables of log lines.

/// The kind of a variable; `style=typed` shows it in the template, `log_parse` beside the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum VariableKind {
    /// A variable of unknown or mixed kind; also a `<*>` that is already in the text.
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
    /// A match of the regular expression of the caller.
    Custom,
}

const PLACEHOLDERS: [(VariableKind, &str); 17] = [
    (VariableKind::Any, "<*>"),
    (VariableKind::Num, "<NUM>"),
    (VariableKind::Size, "<SIZE>"),
    (VariableKind::Duration, "<DURATION>"),
    (VariableKind::Time, "<TIME>"),
    (VariableKind::Ip, "<IP>"),
    (VariableKind::Mac, "<MAC>"),
    (VariableKind::Uuid, "<UUID>"),
    (VariableKind::Hex, "<HEX>"),
    (VariableKind::Path, "<PATH>"),
    (VariableKind::Url, "<URL>"),
    (VariableKind::Email, "<EMAIL>"),
    (VariableKind::Host, "<HOST>"),
    (VariableKind::User, "<USER>"),
    (VariableKind::Id, "<ID>"),
    (VariableKind::Bool, "<BOOL>"),
    (VariableKind::Custom, "<CUSTOM>"),
];

impl VariableKind {
    /// The placeholder of this kind in a typed template.
    ///
    /// ```
    /// use datafusion_aiops::algorithms::text::VariableKind;
    /// assert_eq!(VariableKind::Ip.placeholder(), "<IP>");
    /// assert_eq!(VariableKind::Any.placeholder(), "<*>");
    /// ```
    pub fn placeholder(self) -> &'static str {
        PLACEHOLDERS[self as usize].1
    }

    /// The name of this kind, in upper case and without brackets; `ANY` for [`VariableKind::Any`].
    ///
    /// ```
    /// use datafusion_aiops::algorithms::text::VariableKind;
    /// assert_eq!(VariableKind::Duration.name(), "DURATION");
    /// assert_eq!(VariableKind::Any.name(), "ANY");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "ANY",
            _ => self.placeholder().trim_matches(['<', '>']),
        }
    }

    /// The kind and the length in bytes of the placeholder that `text` begins with.
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
                VariableKind::of_placeholder(name.as_bytes()),
                Some((*kind, name.len()))
            );
        }
        assert_eq!(VariableKind::of_placeholder(b"<NUMBER>"), None);
        assert_eq!(VariableKind::of_placeholder(b"<"), None);
    }
}
