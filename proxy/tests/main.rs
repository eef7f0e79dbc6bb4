//! The edge between real sockets: clients on one side, scripted origins on the other.
//!
//! Nothing of the edge is mocked and nothing here looks inside it. Every wait is for a condition,
//! with a limit that only a broken edge reaches.

mod stage;

mod conformance;
mod drain;
mod forwarding;
mod hold;
mod limits;
mod pages;
mod retry;
mod shutdown;
mod upgrade;
