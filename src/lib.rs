//! `paas`: your own Heroku on any Linux server.
//!
//! A user's wish arrives as an HTTP request ([`server`]), becomes a verb ([`ops`]) and is remembered
//! as records ([`store`]) of nouns ([`model`]). From then on nobody waits for anybody: [`control`]
//! looks at what is wanted and at what is, plans the difference purely, and carries it out on an
//! [`engine`], with [`build`] making images of source trees and the crate `proxy` bringing the
//! requests. What comes by `git push` is kept in [`git`], and [`ssh`] is one of its ways in; what `docker push`
//! brings lies in [`registry`]. Certificates come from authorities through [`acme`] and are read and made in [`pki`].
//! What is in [`volumes`] is brought elsewhere, and back, by [`backup`].
//! What instances write is kept by [`logs`], what is counted is told by [`metrics`]; [`node`] is
//! what a daemon sees of its own machine. [`daemon`] puts the parts together and is the only one
//! that knows them all. Whatever dies at whatever moment, the next pass sees the same two things
//! again and goes on.

pub mod model;

pub mod store;

pub mod ops;

pub mod server;

pub mod control;

pub mod engine;

pub mod acme;

pub mod pki;

pub mod build;

pub mod git;

pub mod registry;

pub mod ssh;

pub mod logs;

pub mod metrics;

pub mod dns;

pub mod node;

pub mod volumes;

pub mod backup;

pub mod daemon;

pub mod config;

pub mod clock;
pub mod faults;
pub mod telemetry;
