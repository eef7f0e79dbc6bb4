//! `paas`: your own Heroku on any Linux server.

pub mod build;
pub mod engine;
pub mod faults;
pub mod logs;
pub mod model;
pub mod node;
