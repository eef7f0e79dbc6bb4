//! HTTP/2 on both sides of the edge: the protocol frame by frame, and what goes through it.

mod client;
mod conformance;
mod connection;
mod downstream;
mod frames;
mod hostile;
mod link;
mod messages;
mod outcome;
mod policies;
mod rules;
mod types;
mod upstream;
