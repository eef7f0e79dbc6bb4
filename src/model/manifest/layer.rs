//! The files that a manifest is made of, and values that know which of them they stand in.
//!
//! Nothing is read here; see [`super::read`].

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::ManifestError;

/// A file that says something of an app: its name, for people, and its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManifestFile<'a> {
    /// `paas.toml`, or that of an environment: `paas.staging.toml`.
    pub name: &'a str,
    /// What it says.
    pub text: &'a str,
}

/// A file, parsed.
pub(super) struct Document<'a> {
    pub(super) file: ManifestFile<'a>,
    pub(super) table: Spanned<DeTable<'a>>,
}

impl<'a> Document<'a> {
    /// Parses TOML.
    pub(super) fn parse(file: ManifestFile<'a>) -> Result<Self, ManifestError> {
        let table = DeTable::parse(file.text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            Place { file, span }.fault(format!("not valid TOML: {message}"))
        })?;
        Ok(Self { file, table })
    }
}

/// Where something stands.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) file: ManifestFile<'a>,
    pub(super) span: Range<usize>,
}

impl Place<'_> {
    /// What is wrong there.
    pub(super) fn fault(&self, fault: String) -> ManifestError {
        let before = self.file.text.get(..self.span.start).unwrap_or(self.file.text);
        let line = before.matches('\n').count() + 1;
        ManifestError { file: self.file.name.to_owned(), line, fault, hint: None }
    }
}

/// One file's table of a section.
pub(super) struct Layer<'a> {
    pub(super) place: Place<'a>,
    pub(super) table: &'a DeTable<'a>,
}

impl<'a> Layer<'a> {
    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        let (name, value) = self.table.get_key_value(key)?;
        Some(Value { file: self.place.file, key: name.span(), read: value })
    }
}

/// A value, and where it stands.
#[derive(Clone)]
pub(super) struct Value<'a> {
    pub(super) file: ManifestFile<'a>,
    key: Range<usize>,
    read: &'a Spanned<DeValue<'a>>,
}

impl<'a> Value<'a> {
    pub(super) fn get(&self) -> &'a DeValue<'a> {
        self.read.get_ref()
    }

    pub(super) fn place(&self) -> Place<'a> {
        Place { file: self.file, span: self.read.span() }
    }

    /// What is in it, if it is a list.
    pub(super) fn elements(&self) -> Option<Vec<Self>> {
        let element = |it: &'a Spanned<_>| Self { file: self.file, key: it.span(), read: it };
        Some(self.get().as_array()?.iter().map(element).collect())
    }

    /// Where its name stands.
    pub(super) fn key(&self) -> Place<'a> {
        Place { file: self.file, span: self.key.clone() }
    }

    /// What is wrong with it.
    pub(super) fn fault(&self, fault: String) -> ManifestError {
        self.place().fault(fault)
    }
}
