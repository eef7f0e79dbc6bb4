//! Taking typed values out of a TOML table, one key after the other, with good errors.
//!
//! Invariant: after [`Section::finish`] every key of the table was asked for.

use std::{collections::BTreeSet, fmt::Display, ops::Range, str::FromStr, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{ByteSize, Config, ManifestError, ProcessName};

/// Parses TOML.
pub(super) fn parse(text: &str) -> Result<Spanned<DeTable<'_>>, ManifestError> {
    DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        ManifestError::at(text, &span, format!("not valid TOML: {message}"))
    })
}

/// A table that is being read.
pub(super) struct Section<'a> {
    text: &'a str,
    /// Its name in errors; empty at the top.
    name: String,
    span: Range<usize>,
    table: &'a DeTable<'a>,
    asked: BTreeSet<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn top(text: &'a str, table: &'a DeTable<'a>) -> Self {
        Self { text, name: String::new(), span: 0..0, table, asked: BTreeSet::new() }
    }

    /// A table in this one.
    pub(super) fn section(&mut self, key: &'static str) -> Result<Option<Self>, ManifestError> {
        self.take(key).map(|value| self.inner(key, value)).transpose()
    }

    fn inner(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Result<Self, ManifestError> {
        let name =
            if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) };
        let Some(table) = value.get_ref().as_table() else {
            let hint = format!("write it as a section: `[{name}]`");
            return Err(self.wrong(value, &format!("`{name}` is not a section")).hint(hint));
        };
        Ok(Self { text: self.text, name, span: value.span(), table, asked: BTreeSet::new() })
    }

    /// All tables in this one, whose keys are names of processes.
    pub(super) fn named_sections(&self) -> Result<Vec<(ProcessName, Self)>, ManifestError> {
        let sections = self.table.iter().filter(|(key, _)| !is_own(key.get_ref()));
        let read = sections.map(|(key, value)| {
            let name = key.get_ref().parse::<ProcessName>();
            let name =
                name.map_err(|e| ManifestError::at(self.text, &key.span(), e.to_string()))?;
            Ok((name, self.inner(key.get_ref(), value)?))
        });
        read.collect()
    }

    /// All keys as environment variables.
    pub(super) fn environment(&self) -> Result<Config, ManifestError> {
        let read = self.table.iter().map(|(key, value)| {
            let name = key.get_ref().parse();
            let name = name.map_err(|e: crate::model::InvalidName| {
                ManifestError::at(self.text, &key.span(), e.to_string())
            })?;
            let Some(text) = value.get_ref().as_str() else {
                let fault = format!("the value of `{}` is not text", key.get_ref());
                let hint = "put the value in double quotes".to_owned();
                return Err(self.wrong(value, &fault).hint(hint));
            };
            if text.contains('\0') {
                let fault = format!("the value of `{}` has a NUL byte", key.get_ref());
                return Err(self.wrong(value, &fault));
            }
            Ok((name, text.to_owned()))
        });
        read.collect()
    }

    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, ManifestError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.get_ref().as_str() {
            Some(text) if !text.trim().is_empty() && !text.contains('\0') => {
                Ok(Some(text.to_owned()))
            }
            Some(_) => Err(self.wrong(value, &format!("`{key}` is empty"))),
            None => {
                let hint = format!("{key} = \"…\"");
                Err(self.wrong(value, &format!("`{key}` is not text")).hint(hint))
            }
        }
    }

    /// A text that has a grammar.
    pub(super) fn parsed<T>(&mut self, key: &'static str) -> Result<Option<T>, ManifestError>
    where
        T: FromStr<Err: Display>,
    {
        let Some(text) = self.text(key)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error: T::Err| self.wrong_at(key, &error.to_string()))
    }

    /// An amount of memory that something can run in.
    pub(super) fn memory(&mut self, key: &'static str) -> Result<Option<ByteSize>, ManifestError> {
        let size: Option<ByteSize> = self.parsed(key)?;
        if size.is_some_and(|size| size < MIN_MEMORY) {
            return Err(self.wrong_at(key, &format!("`{key}` is less than {MIN_MEMORY}")));
        }
        Ok(size)
    }

    /// A duration such as `30s`, `5m` or `250ms`.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
    ) -> Result<Option<Duration>, ManifestError> {
        let hint = format!("write it like {key} = \"30s\", \"5m\" or \"250ms\"");
        let text = self.text(key).map_err(|error| error.hint(hint.clone()))?;
        let Some(text) = text else { return Ok(None) };
        match duration(&text) {
            Some(duration) => Ok(Some(duration)),
            None => Err(self.wrong_at(key, &format!("`{text}` is not a duration")).hint(hint)),
        }
    }

    /// An HTTP path.
    pub(super) fn path(&mut self, key: &'static str) -> Result<Option<String>, ManifestError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        if !text.starts_with('/') || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let hint = format!("{key} = \"/health\"");
            return Err(self.wrong_at(key, &format!("`{text}` is not an HTTP path")).hint(hint));
        }
        Ok(Some(text))
    }

    /// A port.
    pub(super) fn port(&mut self, key: &'static str) -> Result<Option<u16>, ManifestError> {
        self.number(key, 1, u16::MAX)
    }

    /// How many, at most `most`.
    pub(super) fn count(
        &mut self,
        key: &'static str,
        most: u16,
    ) -> Result<Option<u16>, ManifestError> {
        self.number(key, 0, most)
    }

    /// A number within bounds.
    pub(super) fn number<N>(
        &mut self,
        key: &'static str,
        least: N,
        most: N,
    ) -> Result<Option<N>, ManifestError>
    where
        N: FromStr + PartialOrd + Display + Copy,
    {
        let Some(value) = self.take(key) else { return Ok(None) };
        let number = value.get_ref().as_integer().and_then(|it| it.as_str().parse::<N>().ok());
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                Err(self.wrong(value, &format!("`{key}` is not a number from {least} to {most}")))
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, ManifestError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Boolean(flag) => Ok(Some(*flag)),
            _ => Err(self.wrong(value, &format!("`{key}` is neither true nor false"))),
        }
    }

    /// A list of texts that have a grammar.
    pub(super) fn list<T>(&mut self, key: &'static str) -> Result<Vec<T>, ManifestError>
    where
        T: FromStr<Err: Display>,
    {
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        let Some(entries) = value.get_ref().as_array() else {
            let hint = format!("{key} = [\"…\"]");
            return Err(self.wrong(value, &format!("`{key}` is not a list")).hint(hint));
        };
        if entries.len() > MAX_ENTRIES {
            let fault = format!("`{key}` has more than {MAX_ENTRIES} entries");
            return Err(self.wrong(value, &fault));
        }
        let read = |entry: &Spanned<DeValue<'_>>| match entry.get_ref().as_str() {
            Some(text) => text.parse().map_err(|e: T::Err| self.wrong(entry, &e.to_string())),
            None => Err(self.wrong(entry, &format!("an entry of `{key}` is not text"))),
        };
        entries.iter().map(read).collect()
    }

    /// All entries, each with its place and its text, if it is one.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, Range<usize>, Option<&str>)> {
        self.table
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), key.span(), value.get_ref().as_str()))
    }

    /// Cores as `2` or `0.5`, in thousandths.
    pub(super) fn cores(&mut self, key: &'static str) -> Result<Option<u32>, ManifestError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let text = match value.get_ref() {
            DeValue::Integer(number) => Some(number.as_str()),
            DeValue::Float(number) => Some(number.as_str()),
            _ => None,
        };
        if let Some(millis) = text.and_then(millis) {
            return Ok(Some(millis));
        }
        let fault = format!("`{key}` is not a number of cores from 0.01 to 1000");
        Err(self.wrong(value, &fault).hint(format!("{key} = 0.5")))
    }

    /// Refuses what was never asked for.
    pub(super) fn finish(self) -> Result<(), ManifestError> {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if self.asked.contains(name) || is_own(name) {
                continue;
            }
            let place =
                if self.name.is_empty() { String::new() } else { format!(" in [{}]", self.name) };
            let fault = format!("unknown key `{}`{place}", name.escape_debug());
            let error = ManifestError::at(self.text, &key.span(), fault);
            let near = |known: &&&str| strsim::jaro_winkler(known, name) > 0.8;
            let by_nearness = |a: &&&str, b: &&&str| {
                strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name))
            };
            let known: Vec<_> = self.asked.iter().copied().collect();
            let nearest = known.iter().filter(near).max_by(by_nearness);
            let suggestion = nearest.map(|known| format!("did you mean `{known}`?"));
            let all = || format!("known here: {}", known.join(", "));
            return Err(error.hint(suggestion.unwrap_or_else(all)));
        }
        Ok(())
    }

    /// A fault at a place of the text.
    pub(super) fn at(&self, span: &Range<usize>, fault: String) -> ManifestError {
        ManifestError::at(self.text, span, fault)
    }

    /// A fault of the section as a whole.
    pub(super) fn fault(&self, fault: String) -> ManifestError {
        ManifestError::at(self.text, &self.span, fault)
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.insert(key);
        self.table.get(key)
    }

    fn wrong(&self, value: &Spanned<DeValue<'_>>, fault: &str) -> ManifestError {
        ManifestError::at(self.text, &value.span(), fault.to_owned())
    }

    /// A fault of one key.
    pub(super) fn wrong_at(&self, key: &str, fault: &str) -> ManifestError {
        let span = self.table.get(key).map_or(self.span.clone(), Spanned::span);
        ManifestError::at(self.text, &span, fault.to_owned())
    }
}

/// Keys that are the user's own.
fn is_own(key: &str) -> bool {
    key.starts_with("x-")
}

/// A duration such as `30s`.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let count: u64 = digits.parse().ok()?;
    let millis = match text.strip_prefix(digits)? {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let duration = Duration::from_millis(count.checked_mul(millis)?);
    (!duration.is_zero() && duration <= MAX_DURATION).then_some(duration)
}

/// Decimal digits only, so that no rounding happens: `0.5` is 500.
fn millis(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let thousandths: u32 = format!("{fraction:0<3}").parse().ok()?;
    let millis = whole.checked_mul(1000)?.checked_add(thousandths)?;
    (10..=1_000_000).contains(&millis).then_some(millis)
}

/// Networks and the like that one list may have.
const MAX_ENTRIES: usize = 100;
const MIN_MEMORY: ByteSize = ByteSize::mib(16);
const MAX_DURATION: Duration = Duration::from_hours(24);
