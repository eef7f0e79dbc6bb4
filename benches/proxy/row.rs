//! What is measured, and how one measurement is taken.

use std::time::Duration;

use crate::contestant::Contestant;
use crate::handshakes::{self, Handshake};
use crate::idle::{self, Speaks};
use crate::origin::LARGE_PATH;
use crate::tools::{self, Load};
use crate::{contest::Plan, paced};

/// The rows of the table, from top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    Small,
    SmallTls,
    Full,
    Resumed,
    Http2,
    Large,
    LargeTls,
    Latency,
    Idle,
    IdleTls,
}

pub(crate) const ROWS: [Row; 10] = [
    Row::Small,
    Row::SmallTls,
    Row::Full,
    Row::Resumed,
    Row::Http2,
    Row::Large,
    Row::LargeTls,
    Row::Latency,
    Row::Idle,
    Row::IdleTls,
];

/// What a row's figures are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Per second; printed as a ratio. More is better.
    Rate,
    /// Microseconds. Less is better.
    Latency,
    /// Bytes. Less is better.
    Memory,
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) value: f64,
    /// Microseconds of processor time per answer, where that is known.
    pub(crate) cost: Option<f64>,
    pub(crate) failures: u64,
}

impl Row {
    /// The name, by which it can also be asked for.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Small => "HTTP/1.1 keep-alive",
            Self::SmallTls => "HTTPS keep-alive",
            Self::Full => "new TLS 1.3 connections",
            Self::Resumed => "resumed TLS 1.3 connections",
            Self::Http2 => "HTTP/2 over TLS",
            Self::Large => "1 MiB bodies",
            Self::LargeTls => "1 MiB bodies over TLS",
            Self::Latency => "p99 at half of nginx's rate",
            Self::Idle => "memory per idle connection",
            Self::IdleTls => "memory per idle TLS connection",
        }
    }

    pub(crate) fn unit(self) -> Unit {
        match self {
            Self::Latency => Unit::Latency,
            Self::Idle | Self::IdleTls => Unit::Memory,
            _ => Unit::Rate,
        }
    }

    /// Memory does not vary; everything else is measured in every round.
    pub(crate) fn rounds(self, plan: &Plan) -> usize {
        if self.unit() == Unit::Memory { 1 } else { plan.rounds }
    }

    /// Takes one measurement. `rate` is the requests per second of [`Row::Latency`].
    pub(crate) fn measure(self, contestant: &Contestant, plan: &Plan, rate: f64) -> Sample {
        match self {
            Self::Latency => {
                let paced = paced::load(contestant.plain, rate, plan.length);
                let p99 = paced.percentile(99).as_secs_f64() * 1e6;
                Sample { value: p99, cost: None, failures: paced.failures }
            }
            Self::Idle => idle_sample(contestant, Speaks::Plain, plan.idle),
            Self::IdleTls => idle_sample(contestant, Speaks::Tls, plan.idle),
            _ => {
                let before = contestant.processor_time();
                let load = self.load(contestant, plan.length);
                let spent = contestant.processor_time().saturating_sub(before);
                let cost = spent.as_secs_f64() * 1e6 / load.answers;
                Sample { value: load.rate, cost: Some(cost), failures: load.failures }
            }
        }
    }

    fn load(self, contestant: &Contestant, length: Duration) -> Load {
        let Contestant { plain, tls, .. } = *contestant;
        match self {
            Self::Small => tools::wrk("http", plain, "/", 64, length),
            Self::SmallTls => tools::wrk("https", tls, "/", 64, length),
            Self::Full => handshakes::load(tls, Handshake::Full, length),
            Self::Resumed => handshakes::load(tls, Handshake::Resumed, length),
            Self::Http2 => tools::h2load(tls, 16, length),
            Self::Large => tools::wrk("http", plain, LARGE_PATH, 16, length),
            Self::LargeTls => tools::wrk("https", tls, LARGE_PATH, 16, length),
            Self::Latency | Self::Idle | Self::IdleTls => Load::default(),
        }
    }
}

fn idle_sample(contestant: &Contestant, speaks: Speaks, count: usize) -> Sample {
    match idle::cost(contestant, speaks, count) {
        Ok(bytes) => Sample { value: bytes, cost: None, failures: 0 },
        Err(error) => {
            eprintln!("{}: idle connections: {error}", contestant.kind.name());
            Sample { value: f64::NAN, cost: None, failures: 1 }
        }
    }
}
