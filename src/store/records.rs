//! Which nouns are remembered, in which tables, under which keys.
//!
//! The nouns of `model/` are stored as they are; a change of one that old data does not decode as
//! raises its version here and teaches it the step.

use crate::{
    model::{App, Build, Event, Release, Rollout, Token},
    store::{Record, Schema},
};

/// Everything this binary stores.
pub fn schema() -> Schema {
    Schema::default()
        .with::<App>()
        .with::<Build>()
        .with::<Release>()
        .with::<Rollout>()
        .with::<Event>()
        .with::<Token>()
}

impl Record for App {
    const TABLE: &'static str = "apps";
    const VERSION: u32 = 1;
    type Key = String;

    fn key(&self) -> String {
        self.name.as_str().to_owned()
    }
}

impl Record for Build {
    const TABLE: &'static str = "builds";
    const VERSION: u32 = 1;
    type Key = (String, u64);

    fn key(&self) -> (String, u64) {
        (self.app.as_str().to_owned(), self.number.0.into())
    }
}

impl Record for Release {
    const TABLE: &'static str = "releases";
    const VERSION: u32 = 1;
    type Key = (String, u64);

    fn key(&self) -> (String, u64) {
        (self.app.as_str().to_owned(), self.version.0.into())
    }
}

impl Record for Rollout {
    const TABLE: &'static str = "rollouts";
    const VERSION: u32 = 1;
    type Key = (String, u64);

    fn key(&self) -> (String, u64) {
        (self.app.as_str().to_owned(), self.number.0.into())
    }
}

impl Record for Event {
    const TABLE: &'static str = "events";
    const VERSION: u32 = 1;
    type Key = (String, u64);

    fn key(&self) -> (String, u64) {
        (self.app.as_str().to_owned(), self.number)
    }
}

impl Record for Token {
    const TABLE: &'static str = "tokens";
    const VERSION: u32 = 1;
    type Key = String;

    fn key(&self) -> String {
        self.id.0.clone()
    }
}
