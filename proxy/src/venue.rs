//! A site, ready to be served: its ways, longest prefix first, and what it says on every response.
//!
//! It finds a way for a path and decodes nothing to do so: what is routed by is what is sent. The
//! invariant: where a site has more than one way, a path that another program could read as leading
//! elsewhere leads nowhere.

use std::collections::HashMap;
use std::rc::Rc;

use crate::host::Host;
use crate::site::{Forwarded, Hsts, Plain, Site, Subdomains};
use crate::table::ServiceName;
use crate::target::is_ambiguous;
use crate::view::Target;

/// What a host answers with.
#[derive(Debug)]
pub(crate) struct Venue {
    pub(crate) plain: Plain,
    pub(crate) moved_to: Option<Host>,
    /// The value of `Strict-Transport-Security`.
    pub(crate) hsts: Option<Box<str>>,
    /// Longest prefix first.
    ways: Vec<Rc<Way>>,
    split: Split,
}

/// The paths under one prefix, and who answers for them.
#[derive(Debug)]
pub(crate) struct Way {
    /// Without the slash at its end: empty for all paths.
    pub(crate) prefix: Box<str>,
    pub(crate) forwarded: Forwarded,
    pub(crate) target: Rc<Target>,
}

/// Whether two paths of a site may lead to different ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Split {
    No,
    ByPrefix,
}

/// Where a path leads.
#[derive(Debug)]
pub(crate) enum Lead<'p> {
    To(&'p Rc<Way>),
    Nowhere,
    /// It could be read in two ways that lead to different ends.
    Ambiguous,
}

impl Venue {
    /// A route to a service that does not exist is no route.
    pub(crate) fn new(site: &Site, targets: &HashMap<ServiceName, Rc<Target>>) -> Self {
        let mut ways: Vec<Rc<Way>> = Vec::new();
        for route in &site.routes {
            if let Some(target) = targets.get(&route.to) {
                let prefix = route.prefix.trim_end_matches('/').into();
                let (forwarded, target) = (route.forwarded, Rc::clone(target));
                ways.push(Rc::new(Way { prefix, forwarded, target }));
            }
        }
        ways.sort_by_key(|way| std::cmp::Reverse(way.prefix.len()));
        let split = ways.iter().any(|way| !way.prefix.is_empty());
        Self {
            plain: site.plain,
            moved_to: site.moved_to.clone(),
            hsts: site.hsts.map(hsts_value),
            ways,
            split: if split { Split::ByPrefix } else { Split::No },
        }
    }

    /// The way for a path (with its query), or for `*`, which is about the whole site.
    pub(crate) fn lead(&self, path: &str) -> Lead<'_> {
        if self.split == Split::ByPrefix && is_ambiguous(path) {
            return Lead::Ambiguous;
        }
        let path = if path == "*" { "/" } else { path };
        match self.ways.iter().find(|way| way.covers(path)) {
            Some(way) => Lead::To(way),
            None => Lead::Nowhere,
        }
    }

    /// Whether anybody answers for anything here.
    pub(crate) fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }
}

impl Way {
    /// A prefix ends where a segment ends.
    fn covers(&self, path: &str) -> bool {
        path.strip_prefix(&*self.prefix)
            .is_some_and(|rest| matches!(rest.as_bytes().first(), None | Some(b'/' | b'?')))
    }
}

fn hsts_value(hsts: Hsts) -> Box<str> {
    let below = match hsts.subdomains {
        Subdomains::Excluded => "",
        Subdomains::Included => "; includeSubDomains",
    };
    format!("max-age={}{below}", hsts.max_age.as_secs()).into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::watch;

    use super::*;
    use crate::ledger::Ledger;
    use crate::pool::Pool;
    use crate::site::Route;
    use crate::table::{Absence, Hold, Service};

    fn venue(prefixes: &[&str]) -> Venue {
        let ledger = Ledger::new(watch::Sender::new(()), 1);
        let absent = Absence {
            title: String::new(),
            explanation: String::new(),
            retry_after: Duration::ZERO,
        };
        let hold = Hold { most: 0, deadline: Duration::ZERO };
        let service = Arc::new(Service::new(Vec::new(), hold, absent));
        let mut targets = HashMap::new();
        let mut routes = Vec::new();
        for prefix in prefixes {
            let name = ServiceName::new(*prefix);
            let (meter, service) = (ledger.service(&name), Arc::clone(&service));
            let pool = Pool::new(&name, &service, |_| unreachable!("it has no upstreams"));
            let target = Target { name: name.clone(), service, meter, pool };
            targets.insert(name.clone(), Rc::new(target));
            routes.push(Route { prefix: (*prefix).into(), ..Route::all(name) });
        }
        routes.push(Route { prefix: "/gone".into(), ..Route::all(ServiceName::new("gone")) });
        Venue::new(&Site { routes, ..Site::default() }, &targets)
    }

    fn check(prefixes: &[&str], path: &str, expected: Option<&str>) {
        let venue = venue(prefixes);
        let found = match venue.lead(path) {
            Lead::To(way) => Some(way.target.name.as_str()),
            Lead::Nowhere => None,
            Lead::Ambiguous => Some("ambiguous"),
        };
        assert_eq!(found, expected, "{path} among {prefixes:?}");
    }

    #[test]
    fn the_longest_prefix_wins_and_ends_with_a_segment() {
        let all = ["/", "/api", "/api/v2/"];
        check(&all, "/", Some("/"));
        check(&all, "/api", Some("/api"));
        check(&all, "/api?x", Some("/api"));
        check(&all, "/api/", Some("/api"));
        check(&all, "/api/v2", Some("/api/v2/"));
        check(&all, "/api/v2/x", Some("/api/v2/"));
        check(&all, "/api/v20", Some("/api"));
        check(&all, "/apix", Some("/"));
        check(&all, "/API", Some("/"));
        check(&all, "//api", Some("/"));
        check(&all, "*", Some("/"));
        check(&all, "/gone", Some("/"));
        check(&["/api"], "/", None);
        check(&["/api"], "/gone", None);
    }

    #[test]
    fn what_may_lead_elsewhere_leads_nowhere() {
        let split = ["/public", "/admin"];
        check(&split, "/public/%2e%2e/admin", Some("ambiguous"));
        check(&split, "/public?/../admin", Some("/public"));
        check(&["/public"], "/public/../admin", Some("ambiguous"));
        check(&["/"], "/a/../b%2fc", Some("/"));
    }
}
