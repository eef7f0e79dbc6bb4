//! What containers are answered, situation by situation, as [`notation`] writes them: one line for each app that
//! asks.

use std::collections::BTreeMap;

use super::{answers, directory, followed, places};
use crate::{
    control::{
        apps::transcripts::notation::{self, Situation},
        routes::upstream_id,
    },
    model::{AppName, Observed},
    node::{Here, Reach, Ways, ways},
};

/// On which machine they ask.
enum On {
    Control,
    /// On node `a`, which reaches the control.
    Node,
    /// On node `a`, which does not, and reaches these machines; the one that controlled is `box`.
    NodeWith(&'static [&'static str]),
}

/// Containers of `my-app` ask, and of `other`, which has none of the instances.
#[track_caller]
fn check(machine: &On, situation: &str, expected: &str) {
    let Situation { state, seen, .. } = notation::read(situation);
    let apps = BTreeMap::from([(state.app.name.clone(), seen)]);
    let directory = directory(&"box".parse().unwrap(), &[state], &apps);
    let places = match machine {
        On::Control => places(&apps),
        On::Node => followed::places(&directory, &on_a(&apps), &Reach::All),
        On::NodeWith(others) => {
            let others = others.iter().map(|name| name.parse().unwrap()).collect();
            followed::places(&directory, &on_a(&apps), &Reach::Nodes(others))
        }
    };
    let networks = [("10.210.0.64/26", "my-app"), ("10.210.1.0/26", "other")];
    let networks = networks.map(|(network, app)| (network.parse().unwrap(), app.parse().unwrap()));
    let ways = Ways::new(&directory, networks.into(), &places, &mut ways::rooms());
    let mut told = Vec::new();
    for app in answers(&directory, &ways) {
        for ((_, process), addresses) in &app.ready {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            told.push(format!("{} is told {process} {}", app.app, addresses.join(" ")));
        }
    }
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    assert_eq!(told, expected);
}

/// The instances of node `a`, as it sees them itself.
fn on_a(apps: &BTreeMap<AppName, Vec<Observed>>) -> Here {
    let instances = apps.values().flatten().map(|observed| &observed.instance);
    let of_a = instances.filter(|one| one.node.as_ref().is_some_and(|node| node.as_str() == "a"));
    of_a.filter_map(|one| Some((upstream_id(&one.id), one.address?)))
        .collect::<BTreeMap<_, _>>()
        .into()
}

#[test]
fn names_lead_to_what_is_ready_and_serves() {
    check(
        &On::Control,
        "release v1 web=3
         release v2 web=3
         current v1.0
         rollout starting v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready at 10.210.0.66
         b web.1 v2.0 running 50 ready at 10.210.0.67
         c web.2 v1.0 running 10 failing at 10.210.0.68
         d web.3 v1.0 running 10 ready told 40 at 10.210.0.69
         e web.3 v1.0 #1 exited 1 10..20",
        "my-app is told web 10.210.0.66",
    );
}

#[test]
fn instances_of_other_machines_have_addresses_that_stand_for_them() {
    let situation = "release v1 api=1 web=2
         port api 9000
         current v1.0
         a web.1 v1.0 running 10 ready at 10.210.0.66
         b web.2 v1.0 running 10 ready on a at 10.210.0.67 behind 127.0.0.1:40001
         c api.1 v1.0 running 10 ready on b at 10.210.0.66 behind 127.0.0.1:40002";
    check(
        &On::Control,
        situation,
        "my-app is told api 198.18.0.2
         my-app is told web 10.210.0.66 198.18.0.1",
    );
    check(
        &On::Node,
        situation,
        "my-app is told api 198.18.0.2
         my-app is told web 10.210.0.67 198.18.0.1",
    );
    check(&On::NodeWith(&[]), situation, "my-app is told web 10.210.0.67");
    check(
        &On::NodeWith(&["b"]),
        situation,
        "my-app is told api 198.18.0.1
         my-app is told web 10.210.0.67",
    );
    // The machine that controlled leads no more, and runs on.
    check(&On::NodeWith(&["box"]), situation, "my-app is told web 10.210.0.67 198.18.0.1");
}

#[test]
fn an_instance_that_listens_nowhere_has_a_name_on_its_own_machine_alone() {
    let situation = "release v1 worker=1
         current v1.0
         a worker.1 v1.0 running 10 ready on a at 10.210.0.66";
    check(&On::Node, situation, "my-app is told worker 10.210.0.66");
    check(&On::Control, situation, "");
}

#[test]
fn another_app_finds_what_allows_it() {
    let situation = "release v1 web=2
         release v2 web=2
         allow v2 other
         current v2.0
         a web.1 v2.0 running 10 ready at 10.210.0.66
         b web.2 v2.0 running 10 ready on a behind 127.0.0.1:40001";
    check(
        &On::Control,
        situation,
        "my-app is told web 10.210.0.66 198.18.0.2
         other is told web 198.18.0.1 198.18.0.2",
    );
    check(
        &On::Control,
        &situation.replace("v2.0", "v1.0"),
        "my-app is told web 10.210.0.66 198.18.0.1",
    );
}

#[test]
fn a_destroyed_app_has_no_name() {
    check(
        &On::Control,
        "release v1 web=1
         current v1.0
         destroyed
         a web.1 v1.0 running 10 ready at 10.210.0.66",
        "",
    );
}
