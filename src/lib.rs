//! `paas`: your own Heroku on any Linux server.

pub mod build;
