//! `paas`: your own Heroku on any Linux server.

pub mod clock;
pub mod engine;
pub mod model;
pub mod node;
pub mod ops;
pub mod store;
