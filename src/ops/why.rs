//! Why a request does or does not get an answer: every link from its name to the instances, and one
//! conclusion. Pure, over facts that somebody else gathered; a reading, and no verb that changes anything.
//!
//! Several things may be wrong at once. The conclusion is about the one that has to be mended first: what
//! nobody answers for is not mended by DNS.

mod answerer;
mod name;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::model::{
    App, Certificate, ContainerId, Domain, DomainCheck, Observed, Pending, Release, Rollout,
    Timestamp,
};

/// What is known of the way of a request.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The host that it is for.
    pub host: String,
    /// The path that it asks for.
    pub path: String,
    /// What the name is to this server.
    pub known: Known,
    /// What proves the name.
    pub certificate: Option<Certificate>,
    /// Who is to answer.
    pub answerer: Option<Answerer>,
    /// Why Docker could not be asked, if so.
    pub engine_fault: Option<String>,
}

/// What a name is to this server.
#[derive(Debug, Clone)]
pub enum Known {
    /// The name that an app has by itself.
    OfApp,
    /// A domain that was added, and where it led when it was looked up.
    Domain(Box<Domain>, Option<DomainCheck>),
    /// A domain of which other paths belong to apps.
    OtherPaths(Vec<Domain>),
    /// None.
    Unknown,
}

/// The app that is to answer, and what is known of it.
#[derive(Debug, Clone)]
pub struct Answerer {
    /// Its record.
    pub app: App,
    /// What serves.
    pub release: Option<Release>,
    /// The last rollout.
    pub rollout: Option<Rollout>,
    /// What was seen of its instances.
    pub seen: Vec<Observed>,
    /// When those that ended are started again.
    pub waiting: BTreeMap<ContainerId, Timestamp>,
    /// Those that are wanted, and for whom there is no machine.
    pub pending: Vec<Pending>,
    /// What speaks against instances, though not often enough yet.
    pub doubts: BTreeMap<ContainerId, String>,
    /// What became of its requests, if any came.
    pub requests: Requests,
}

/// Requests since the edge began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// All.
    pub all: u64,
    /// Those that were answered with 5xx.
    pub faults: u64,
    /// Those that got no answer.
    pub unanswered: u64,
    /// Those that wait now for an instance to appear.
    pub held: u64,
}

/// What is to be thought of one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Well,
    /// It may be meant so.
    Remark,
    /// It is not as it should be.
    Wrong,
}

impl Verdict {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Remark => "remark",
            Self::Wrong => "wrong",
        }
    }
}

/// One link of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Which: `dns`, `certificate`, `web.1`.
    pub name: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was seen.
    pub fact: String,
}

/// What was found out.
#[derive(Debug, Default)]
pub struct Diagnosis {
    /// From the name to the instances.
    pub links: Vec<Link>,
    obstacle: Option<Obstacle>,
}

/// What is in the way, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// What has to be mended first has the lowest.
    order: Order,
    /// In one sentence.
    pub what: String,
    /// A real command, or a line to write.
    pub hint: String,
}

/// What has to be mended before what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Name,
    App,
    Instances,
    Rules,
    Dns,
    Certificate,
}

impl Diagnosis {
    /// What is in the way; `None` if nothing is, as far as the server sees.
    pub fn obstacle(&self) -> Option<&Obstacle> {
        self.obstacle.as_ref()
    }

    fn link(&mut self, name: &str, verdict: Verdict, fact: impl Into<String>) {
        self.links.push(Link { name: name.to_owned(), verdict, fact: fact.into() });
    }

    fn well(&mut self, name: &str, fact: impl Into<String>) {
        self.link(name, Verdict::Well, fact);
    }

    fn remark(&mut self, name: &str, fact: impl Into<String>) {
        self.link(name, Verdict::Remark, fact);
    }

    fn in_the_way(&mut self, order: Order, what: impl Into<String>, hint: impl Into<String>) {
        let found = Obstacle { order, what: what.into(), hint: hint.into() };
        if self.obstacle.as_ref().is_none_or(|known| found.order < known.order) {
            self.obstacle = Some(found);
        }
    }
}

/// Follows the way of a request.
pub fn diagnose(facts: &Facts) -> Diagnosis {
    let mut diagnosis = Diagnosis::default();
    name::name(facts, &mut diagnosis);
    if let Some(answerer) = &facts.answerer {
        answerer::rules(answerer, &mut diagnosis);
        answerer::app(answerer, &mut diagnosis);
        answerer::instances(answerer, facts.engine_fault.as_deref(), &mut diagnosis);
        answerer::requests(answerer, &mut diagnosis);
    }
    diagnosis
}
