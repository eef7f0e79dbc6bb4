//! The edge between real sockets: clients on one side, scripted origins on the other.
//!
//! Nothing of the edge is mocked and nothing here looks inside it. Every wait is for a condition,
//! with a limit that only a broken edge reaches.

// `cfg(test)` is always true here; it tells clippy that helpers may panic like tests.
#[cfg(test)]
mod arrival;
#[cfg(test)]
mod balance;
#[cfg(test)]
mod compression;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod door;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod earlier;
#[cfg(test)]
mod few_files;
#[cfg(test)]
mod forwarding;
#[cfg(test)]
mod handover;
#[cfg(test)]
mod hold;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod outside;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod preface;
#[cfg(test)]
mod retry;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod secure;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod sticky;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod upgrade;
