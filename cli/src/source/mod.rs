//! What is uploaded: the files of a folder that are not ignored, as a stream of tar and gzip that
//! is the same for the same files.

mod brought;
mod builtin;
pub(crate) mod known;
mod list;
mod pack;
mod pipe;
mod way;

pub(crate) use brought::{Names, bring};
pub(crate) use list::{Source, list, settings};
pub(crate) use pipe::{Packing, start, stream};
pub(crate) use way::{Way, tell, tell_strategy};
