//! An app that serves, and what can be otherwise about it.

use std::collections::BTreeMap;

use super::super::*;
use crate::model::{
    Actor, CertificateSource, CertificateState, Health, Incarnation, Instance, InstanceState,
    Phase, Pointing, Process, ReleaseVersion, RolloutNumber, Slot,
};

pub(super) const NOW: Timestamp = Timestamp::from_millis(60_000);

/// The app `shop`, which serves v2 with one web instance that is ready, asked for by its own name.
pub(super) fn facts() -> Facts {
    let process = Process::plain("web".parse().unwrap(), Vec::new(), "bin/web".to_owned());
    let release = Release {
        processes: BTreeMap::from([(process.name.clone(), process)]),
        at: NOW,
        ..Release::example("shop".parse().unwrap(), ReleaseVersion(2))
    };
    let mut app = App::new("shop".parse().unwrap(), NOW);
    app.current = Some(Incarnation { release: ReleaseVersion(2), restart: 0 });
    let answerer = Answerer {
        app,
        release: Some(release),
        rollout: None,
        seen: vec![instance(1, InstanceState::Running { since: NOW }, Health::Ready)],
        waiting: BTreeMap::new(),
        pending: Vec::new(),
        doubts: BTreeMap::new(),
        requests: Requests::default(),
    };
    Facts {
        host: "shop.test".to_owned(),
        path: "/".to_owned(),
        known: Known::OfApp,
        certificate: None,
        answerer: Some(answerer),
        engine_fault: None,
    }
}

pub(super) fn instance(index: u16, state: InstanceState, health: Health) -> Observed {
    Observed {
        instance: Instance {
            id: ContainerId(format!("c{index}")),
            app: "shop".parse().unwrap(),
            slot: Slot { process: "web".parse().unwrap(), index },
            incarnation: Incarnation { release: ReleaseVersion(2), restart: 0 },
            attempt: 0,
            image: format!("sha256:{:064x}", 1).parse().unwrap(),
            node: None,
            address: None,
            door: None,
            pid: None,
            state,
        },
        health,
        in_flight: 0,
        unrouted_since: None,
        unchosen_since: None,
        stopping_since: None,
        output_kept: false,
        usage: None,
        tried: None,
    }
}

pub(super) fn running(health: Health) -> Vec<Observed> {
    vec![instance(1, InstanceState::Running { since: NOW }, health)]
}

pub(super) fn rollout(phase: Phase) -> Rollout {
    Rollout {
        app: "shop".parse().unwrap(),
        number: RolloutNumber(1),
        from: None,
        to: Incarnation { release: ReleaseVersion(3), restart: 0 },
        phase,
        started_at: NOW,
        phase_at: NOW,
        waves: Vec::new(),
        wave: 0,
        command: None,
        recreate: [].into(),
        stand_ins: Vec::new(),
        post_deploy: None,
        trial: None,
    }
}

pub(super) fn failed() -> Phase {
    Phase::Failed { reason: "web.1 exited with code 3".to_owned(), hint: None, last_lines: vec![] }
}

pub(super) fn domain(name: &str, path: &str) -> Domain {
    Domain {
        name: name.parse().unwrap(),
        path: path.parse().unwrap(),
        strip: false,
        app: "shop".parse().unwrap(),
        moved_to: None,
        created_at: NOW,
        by: Actor::platform(),
    }
}

pub(super) fn led(pointing: Pointing) -> Known {
    let name = "shop.example.com".parse().unwrap();
    let check = DomainCheck { name, pointing, since: NOW };
    Known::Domain(Box::new(domain("shop.example.com", "/")), Some(check))
}

pub(super) fn proof(state: CertificateState) -> Certificate {
    let name = "shop.example.com".parse().unwrap();
    let source = CertificateSource::Acme;
    Certificate { name, source, state, issued: None, alarms: Vec::new() }
}
