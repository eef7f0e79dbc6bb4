//! `paas`: your own Heroku on any Linux server.

pub mod build;
pub mod clock;
pub mod config;
pub mod engine;
pub mod faults;
pub mod model;
pub mod node;
pub mod ops;
pub mod store;
pub mod telemetry;
