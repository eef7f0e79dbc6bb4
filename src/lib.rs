//! `paas`: your own Heroku on any Linux server.

pub mod engine;
pub mod logs;
pub mod model;
pub mod node;
