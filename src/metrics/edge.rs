//! The edge's figures by name. A service is an app here.

use proxy::{Histogram, ServiceTraffic, Traffic};

use super::text::{Kind, Text};

pub(super) fn write(traffic: &Traffic, text: &mut Text) {
    requests(traffic, text);
    figures(traffic, text);
    times(traffic, text);
    edge(traffic, text);
    tls(traffic, text);
}

const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

fn requests(traffic: &Traffic, text: &mut Text) {
    let name = "paas_http_requests_total";
    text.family(name, Kind::Counter, "Requests finished, by class of status; none got no answer.");
    for (service, figures) in &traffic.services {
        for (class, count) in CLASSES.iter().zip(figures.classes) {
            text.sample(name, &[("app", service.as_str()), ("class", class)], count);
        }
    }
}

/// A figure of a service.
type Figure = (&'static str, Kind, &'static str, fn(&ServiceTraffic) -> u64);

/// A count of this moment, as wide as the others.
fn now(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

const FIGURES: [Figure; 7] = [
    (
        "paas_http_requests_in_flight",
        Kind::Gauge,
        "Requests between their head and the last byte of their answer.",
        |service| now(service.in_flight),
    ),
    (
        "paas_http_requests_held",
        Kind::Gauge,
        "Requests that wait for an instance to appear.",
        |service| now(service.held),
    ),
    (
        "paas_http_received_bytes_total",
        Kind::Counter,
        "Body bytes received from clients.",
        |service| service.received,
    ),
    (
        "paas_http_sent_bytes_total",
        Kind::Counter,
        "Body bytes sent by instances and passed on.",
        |service| service.sent,
    ),
    (
        "paas_http_retries_total",
        Kind::Counter,
        "Requests sent again, to another instance or on a new connection.",
        |service| service.retries,
    ),
    (
        "paas_http_ejections_total",
        Kind::Counter,
        "Times that an instance was left out after failures in a row.",
        |service| service.ejections,
    ),
    (
        "paas_http_upgrades_total",
        Kind::Counter,
        "Connections that switched to another protocol, such as WebSocket.",
        |service| service.upgrades,
    ),
];

fn figures(traffic: &Traffic, text: &mut Text) {
    for (name, kind, help, figure) in FIGURES {
        text.family(name, kind, help);
        for (service, figures) in &traffic.services {
            text.sample(name, &[("app", service.as_str())], figure(figures));
        }
    }
}

/// Times of a service.
type Times = (&'static str, &'static str, fn(&ServiceTraffic) -> &Histogram);

const TIMES: [Times; 2] = [
    (
        "paas_http_request_duration_seconds",
        "From the head of a request to the last byte of its answer.",
        |service| &service.total,
    ),
    (
        "paas_http_first_byte_seconds",
        "From the head of a request to the head of its answer.",
        |service| &service.first_byte,
    ),
];

fn times(traffic: &Traffic, text: &mut Text) {
    for (name, help, times) in TIMES {
        text.family(name, Kind::Histogram, help);
        for (service, figures) in &traffic.services {
            text.histogram(name, &[("app", service.as_str())], times(figures));
        }
    }
}

fn edge(traffic: &Traffic, text: &mut Text) {
    let name = "paas_edge_instances";
    text.family(name, Kind::Gauge, "Instances that the edge knows, by what it thinks of them.");
    let left_out = traffic.upstreams.values().filter(|upstream| upstream.ejected).count();
    let fit = traffic.upstreams.len() - left_out;
    for (state, count) in [("fit", fit), ("left_out", left_out)] {
        text.sample(name, &[("state", state)], count);
    }
    let help = "Client connections open.";
    text.single("paas_edge_connections", Kind::Gauge, help, traffic.connections);
    let counters = [
        (
            "paas_edge_unrouted_requests_total",
            "Requests for hosts that no app answers for.",
            traffic.unrouted,
        ),
        (
            "paas_edge_malformed_requests_total",
            "Requests refused before routing: malformed, too large or too slow.",
            traffic.malformed,
        ),
        (
            "paas_edge_accept_faults_total",
            "Connections that could not be accepted, for lack of descriptors for example.",
            traffic.accept_faults,
        ),
        (
            "paas_edge_access_records_dropped_total",
            "Access records dropped because the disk was too slow.",
            traffic.records_dropped,
        ),
        (
            "paas_edge_crowded_connections_total",
            "Connections closed at once because their client had too many.",
            traffic.crowded,
        ),
        (
            "paas_edge_prefaces_refused_total",
            "Connections whose PROXY protocol was missing, malformed or not to be believed.",
            traffic.prefaces_refused,
        ),
        (
            "paas_edge_stalls_total",
            "Times that a thread of the edge was found stuck.",
            traffic.stalls,
        ),
    ];
    for (name, help, count) in counters {
        text.single(name, Kind::Counter, help, count);
    }
}

fn tls(traffic: &Traffic, text: &mut Text) {
    let tls = &traffic.tls;
    let failed = &tls.failed;
    let name = "paas_tls_handshakes_total";
    text.family(name, Kind::Counter, "TLS handshakes, by how they ended.");
    for (result, count) in [
        ("full", tls.handshakes.saturating_sub(tls.resumed)),
        ("resumed", tls.resumed),
        ("challenge", tls.proofs),
        ("unknown_name", failed.unknown_name),
        ("incompatible", failed.incompatible),
        ("refused", failed.refused),
        ("malformed", failed.malformed),
        ("slow", failed.slow),
        ("gone", failed.gone),
    ] {
        text.sample(name, &[("result", result)], count);
    }
}
