//! Figures for machines: what the edge and the daemon itself do, in Prometheus' text format.
//!
//! It counts nothing, keeps nothing and serves nothing: [`render`] turns a snapshot into text, and
//! the API hands that out. The invariant: the label set is bounded by the apps there are. Nothing
//! that a visitor sends (a path, a host, a method) ever becomes a label.

mod edge;
mod figures;
mod process;
#[cfg(test)]
mod strict;
mod text;

pub use figures::{Figures, Requests};
pub use process::Process;

use proxy::Traffic;

/// The `Content-Type` of what [`render`] makes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All figures, in an order that does not change.
pub fn render(traffic: &Traffic, process: &Process) -> String {
    let mut text = text::Text::default();
    edge::write(traffic, &mut text);
    process.write(&mut text);
    text.finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proxy::{Histogram, ServiceName, ServiceTraffic, Traffic, UpstreamId, UpstreamTraffic};

    use super::*;

    fn traffic() -> Traffic {
        let mut total = Histogram { sum: Duration::from_millis(12_345), ..Histogram::default() };
        total.counts[0] = 5;
        total.counts[9] = 2;
        total.counts[15] = 1;
        let shop = ServiceTraffic {
            in_flight: 3,
            held: 1,
            classes: [1, 0, 7, 0, 0, 0],
            total,
            sent: u64::MAX,
            ..ServiceTraffic::default()
        };
        let mut traffic = Traffic { connections: 9, malformed: 4, ..Traffic::default() };
        traffic.services.insert(ServiceName::new("shop"), shop);
        let hostile = "a\"b\\c\nd{}=,é";
        traffic.services.insert(ServiceName::new(hostile), ServiceTraffic::default());
        let ejected = UpstreamTraffic { ejected: true, ..UpstreamTraffic::default() };
        traffic.upstreams.insert(UpstreamId::new("one"), ejected);
        traffic.upstreams.insert(UpstreamId::new("two"), UpstreamTraffic::default());
        traffic
    }

    #[test]
    fn what_is_rendered_is_valid_and_says_what_was_counted() {
        let text = render(&traffic(), &Process::default());
        let samples = strict::parse(&text);
        let find = |series: &str| {
            samples.get(series).unwrap_or_else(|| panic!("no {series} in\n{text}")).clone()
        };
        assert_eq!(find("paas_http_requests_total{app=\"shop\",class=\"2xx\"}"), "7");
        assert_eq!(find("paas_http_requests_total{app=\"shop\",class=\"none\"}"), "1");
        assert_eq!(find("paas_http_requests_in_flight{app=\"shop\"}"), "3");
        assert_eq!(find("paas_http_sent_bytes_total{app=\"shop\"}"), u64::MAX.to_string());
        let duration = "paas_http_request_duration_seconds";
        assert_eq!(find(&format!("{duration}_bucket{{app=\"shop\",le=\"0.001\"}}")), "5");
        assert_eq!(find(&format!("{duration}_bucket{{app=\"shop\",le=\"0.5\"}}")), "5");
        assert_eq!(find(&format!("{duration}_bucket{{app=\"shop\",le=\"1\"}}")), "7");
        assert_eq!(find(&format!("{duration}_bucket{{app=\"shop\",le=\"60\"}}")), "7");
        assert_eq!(find(&format!("{duration}_bucket{{app=\"shop\",le=\"+Inf\"}}")), "8");
        assert_eq!(find(&format!("{duration}_sum{{app=\"shop\"}}")), "12.345");
        assert_eq!(find("paas_edge_connections"), "9");
        assert_eq!(find("paas_edge_instances{state=\"left_out\"}"), "1");
        assert_eq!(find("process_open_fds"), "0");
        let hostile = "paas_http_requests_held{app=\"a\\\"b\\\\c\\nd{}=,é\"}";
        assert_eq!(find(hostile), "0");
    }

    #[test]
    fn the_order_is_always_the_same_and_an_idle_edge_is_valid_too() {
        assert_eq!(
            render(&traffic(), &Process::default()),
            render(&traffic(), &Process::default())
        );
        let idle = render(&Traffic::default(), &Process::default());
        assert!(strict::parse(&idle).contains_key("paas_edge_connections"));
    }
}
