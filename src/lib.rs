//! `paas`: your own Heroku on any Linux server.

pub mod build;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod engine;
pub mod faults;
pub mod logs;
pub mod model;
pub mod node;
pub mod ops;
pub mod server;
pub mod store;
pub mod telemetry;
