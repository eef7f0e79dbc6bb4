//! Taking typed values out of a section, one key after the other, with good errors.

use std::{fmt::Display, str::FromStr, time::Duration};

use toml::de::DeValue;

use super::{ByteSize, ManifestError, layer::Value, section::Section};

impl Section<'_> {
    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, ManifestError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.get().as_str() {
            Some(text) if !text.trim().is_empty() && !text.contains('\0') => {
                Ok(Some(text.to_owned()))
            }
            Some(_) => Err(value.fault(format!("`{key}` is empty"))),
            None => {
                let hint = format!("{key} = \"…\"");
                Err(value.fault(format!("`{key}` is not text")).hint(hint))
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

    /// The same, where a number is such a text and need not be written as one.
    pub(super) fn parsed_or_number<T>(
        &mut self,
        key: &'static str,
    ) -> Result<Option<T>, ManifestError>
    where
        T: FromStr<Err: Display>,
    {
        let number =
            self.take(key).and_then(|value| Some(value.get().as_integer()?.as_str().to_owned()));
        let Some(number) = number else { return self.parsed(key) };
        number.parse().map(Some).map_err(|error: T::Err| self.wrong_at(key, &error.to_string()))
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
        if !is_http_path(&text) {
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
        let number = value.get().as_integer().and_then(|it| it.as_str().parse::<N>().ok());
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(value.fault(format!("`{key}` is not a number from {least} to {most}"))),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, ManifestError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.get() {
            DeValue::Boolean(flag) => Ok(Some(*flag)),
            _ => Err(value.fault(format!("`{key}` is neither true nor false"))),
        }
    }

    /// A list of texts that have a grammar.
    pub(super) fn list<T>(&mut self, key: &'static str) -> Result<Vec<T>, ManifestError>
    where
        T: FromStr<Err: Display>,
    {
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        let Some(entries) = value.elements() else {
            let hint = format!("{key} = [\"…\"]");
            return Err(value.fault(format!("`{key}` is not a list")).hint(hint));
        };
        if entries.len() > MAX_ENTRIES {
            return Err(value.fault(format!("`{key}` has more than {MAX_ENTRIES} entries")));
        }
        let read = |entry: Value<'_>| match entry.get().as_str() {
            Some(text) => text.parse().map_err(|error: T::Err| entry.fault(error.to_string())),
            None => Err(entry.fault(format!("an entry of `{key}` is not text"))),
        };
        entries.into_iter().map(read).collect()
    }

    /// Cores as `2` or `0.5`, in thousandths.
    pub(super) fn cores(&mut self, key: &'static str) -> Result<Option<u32>, ManifestError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let text = match value.get() {
            DeValue::Integer(number) => Some(number.as_str()),
            DeValue::Float(number) => Some(number.as_str()),
            _ => None,
        };
        if let Some(millis) = text.and_then(millis) {
            return Ok(Some(millis));
        }
        let fault = format!("`{key}` is not a number of cores from 0.01 to 1000");
        Err(value.fault(fault).hint(format!("{key} = 0.5")))
    }
}

/// Whether a text can stand in a request's first line.
pub(super) fn is_http_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic())
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
pub(super) const MIN_MEMORY: ByteSize = ByteSize::mib(16);
const MAX_DURATION: Duration = Duration::from_hours(24);
