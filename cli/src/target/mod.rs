//! Which app and which server a command is about, when the command line does not say it all.

mod address;
mod contexts;
mod domain;
mod git;
mod manifest;
mod name;
mod server;
mod token;
mod which;

pub(crate) use address::{Address, HostPort};
pub(crate) use contexts::{Context, Contexts};
pub(crate) use domain::DomainName;
pub(crate) use git::root as repository;
pub(crate) use manifest::{
    MANIFEST, declaring, environments, image as manifest_image, pages as manifest_pages,
    write as write_manifest,
};
pub(crate) use name::AppName;
pub(crate) use server::{Server, context, server};
pub(crate) use token::Token;
pub(crate) use which::{Chosen, Origin, app, no_app};
