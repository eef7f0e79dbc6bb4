//! Situations, and what is said of them.

mod situations;

use std::time::Duration;

use super::*;
use crate::model::{
    CertificateState, Exit, Health, InstanceState, Maintenance, Pending, Phase, Pointing,
    ReleaseVersion, Slot,
};
use situations::*;

/// The links with their verdicts, and then what is in the way and the hint.
#[track_caller]
fn check(change: impl FnOnce(&mut Facts), expected: &str) {
    let mut facts = facts();
    change(&mut facts);
    let diagnosis = diagnose(&facts);
    let link = |link: &Link| {
        let mark = match link.verdict {
            Verdict::Well => '+',
            Verdict::Remark => '.',
            Verdict::Wrong => '-',
        };
        format!("{mark} {}: {}\n", link.name, link.fact)
    };
    let mut said: String = diagnosis.links.iter().map(link).collect();
    if let Some(obstacle) = diagnosis.obstacle() {
        said = format!("{said}{}\nhint: {}\n", obstacle.what, obstacle.hint);
    }
    let lines = |text: &str| text.trim().lines().map(|l| l.trim().to_owned()).collect::<Vec<_>>();
    // What is as ever is left out of what is expected.
    let usual = [
        "+ name: shop.test is shop's own name",
        ". certificate: none; plain HTTP is served",
        "+ app: v2 serves, with 1 web instance",
        "+ web.1: v2 is ready",
    ];
    let unusual: Vec<_> =
        lines(&said).into_iter().filter(|line| !usual.contains(&line.as_str())).collect();
    assert!(unusual == lines(expected), "it says:\n{said}");
}

fn answerer(change: impl FnOnce(&mut Answerer)) -> impl FnOnce(&mut Facts) {
    move |facts| change(facts.answerer.as_mut().unwrap())
}

#[test]
fn nothing_is_in_the_way() {
    check(|_| (), "");
    let requests = Requests { all: 9, faults: 2, unanswered: 1, held: 0 };
    check(
        answerer(|it| it.requests = requests),
        ". requests: of 9 since the edge began 2 were answered with 5xx, 1 got no answer",
    );
}

#[test]
fn names() {
    check(
        |facts| (facts.known, facts.answerer) = (Known::Unknown, None),
        "- name: no app has the name shop.test
         no app of this server has shop.test
         hint: `paas domains add shop.test -a APP`; `paas apps` lists the apps",
    );
    check(
        |facts| {
            facts.known = Known::OtherPaths(vec![domain("shop.example.com", "/api")]);
            (facts.host, facts.answerer) = ("shop.example.com".to_owned(), None);
        },
        "- name: no app has shop.example.com/; there is shop.example.com/api
         no app has the path / of shop.example.com
         hint: `paas domains add shop.example.com -a APP`",
    );
    check(
        |facts| {
            let mut moved = domain("example.com", "/");
            moved.moved_to = Some("www.example.com".parse().unwrap());
            facts.known = Known::Domain(Box::new(moved), None);
        },
        "+ name: example.com is a domain of shop
         . redirect: its visitors are sent to www.example.com
         . dns: nobody has looked yet where it leads",
    );
}

#[test]
fn where_a_domain_leads() {
    check(
        |facts| facts.known = led(Pointing::Here),
        "+ name: shop.example.com is a domain of shop
         + dns: the world's DNS leads here",
    );
    check(
        |facts| {
            facts.known = led(Pointing::Elsewhere { addresses: vec!["192.0.2.9".to_owned()] });
        },
        "+ name: shop.example.com is a domain of shop
         - dns: the world's DNS leads to 192.0.2.9
         shop.example.com leads to 192.0.2.9, and not to this server
         hint: `paas domains check shop.example.com` says which records it needs",
    );
    check(
        |facts| {
            facts.known = led(Pointing::Nowhere);
            facts.answerer.as_mut().unwrap().seen.clear();
        },
        // What nobody answers for is not mended by DNS.
        "+ name: shop.example.com is a domain of shop
         - dns: the world's DNS has no address for it
         no instance of shop is there yet
         hint: `paas events -a shop` says what keeps them",
    );
}

#[test]
fn certificates() {
    let failing = CertificateState::Failing {
        attempts: 2,
        reason: "the authority could not reach it".to_owned(),
        hint: Some("open port 80".to_owned()),
        next: Timestamp::from_millis(0),
    };
    check(
        |facts| {
            facts.known = led(Pointing::Here);
            facts.certificate = Some(proof(failing));
        },
        "+ name: shop.example.com is a domain of shop
         + dns: the world's DNS leads here
         - certificate: not issued: the authority could not reach it; tried again at \
         1970-01-01T00:00:00.000Z; plain HTTP is served
         shop.test has no certificate: the authority could not reach it
         hint: open port 80",
    );
    check(
        |facts| facts.certificate = Some(proof(CertificateState::Wanted)),
        ". certificate: wanted; plain HTTP is served until it is there",
    );
}

#[test]
fn rules() {
    check(
        answerer(|it| {
            let message = "Back at noon".to_owned();
            it.app.maintenance = Some(Maintenance { message, since: NOW });
        }),
        "- maintenance: visitors get 503: Back at noon
         shop is being worked on, and its visitors are told so
         hint: `paas maintenance off -a shop`",
    );
    check(
        answerer(|it| {
            let http = &mut it.release.as_mut().unwrap().deploy.http;
            http.allow = vec!["10.0.0.0/8".parse().unwrap()];
            http.deny = vec!["10.1.0.0/16".parse().unwrap()];
            let per = Duration::from_mins(1);
            http.rate = Some(crate::model::RateLimit { requests: 9, per, burst: 9 });
            http.password = Some(crate::model::PasswordGate {
                user: "me".to_owned(),
                password_from: "GATE".parse().unwrap(),
            });
        }),
        ". allow: only 10.0.0.0/8 may come in
         . deny: 10.1.0.0/16 may not come in
         . rate: 9 requests in 60s from one address
         - password: GATE, which holds the password, is not set: nobody gets in
         shop asks for a password that is not set
         hint: `paas secrets set GATE -a shop`",
    );
    let private = |only| {
        answerer(move |it| {
            let private = &mut it.release.as_mut().unwrap().deploy.private;
            (private.allow, private.only) = (["bank".parse().unwrap()].into(), only);
        })
    };
    check(private(false), ". private: containers of shop and bank find it as shop.internal");
    check(
        private(true),
        "- private: no host leads to it; containers of shop and bank find it as shop.internal
         shop is private: containers of shop and bank find it as shop.internal
         hint: take `only` out of [private] in paas.toml, and `paas deploy`",
    );
    let password = |value: &'static str| {
        answerer(move |it| {
            let deploy = &mut it.release.as_mut().unwrap().deploy;
            deploy.env.insert("GATE".parse().unwrap(), value.to_owned());
            deploy.http.password = Some(crate::model::PasswordGate {
                user: "me".to_owned(),
                password_from: "GATE".parse().unwrap(),
            });
        })
    };
    check(password("sesame"), ". password: visitors must know the password of me");
    check(
        password(""),
        "- password: GATE, which holds the password, is not set: nobody gets in
         shop asks for a password that is not set
         hint: `paas secrets set GATE -a shop`",
    );
}

#[test]
fn apps_that_do_not_run() {
    check(
        answerer(|it| it.app.destroyed_at = Some(NOW)),
        "- app: it is being destroyed
         shop is being destroyed
         hint: `paas apps` lists the apps there are",
    );
    check(
        answerer(|it| {
            it.app.destroyed_at = Some(NOW);
            it.app.kept_until = Some(NOW.plus(Duration::from_hours(1)));
        }),
        "- app: it was destroyed, and is kept until 1970-01-01T01:01:00.000Z
         shop was destroyed, and is kept until 1970-01-01T01:01:00.000Z
         hint: `paas undelete shop` brings it back",
    );
    let nothing = |phase: Option<Phase>| {
        answerer(move |it| {
            (it.release, it.app.current) = (None, None);
            it.seen.clear();
            it.rollout = phase.map(rollout);
        })
    };
    check(
        nothing(None),
        "- app: nothing has been deployed to it
         shop: nothing has been deployed to it
         hint: `paas deploy -a shop`",
    );
    check(
        nothing(Some(failed())),
        "- app: its first deploy (v3) failed: web.1 exited with code 3
         shop: its first deploy (v3) failed: web.1 exited with code 3
         hint: `paas logs -a shop`",
    );
    check(
        nothing(Some(Phase::Starting)),
        "- app: its first deploy (v3) is starting
         shop: its first deploy (v3) is starting
         hint: `paas deploys -a shop` shows how far it is",
    );
    check(
        answerer(|it| {
            it.app.formation.insert("web".parse().unwrap(), 0);
            it.seen.clear();
        }),
        "- app: v2, scaled to no web instance
         shop is scaled to zero
         hint: `paas scale web=1 -a shop`",
    );
    check(
        answerer(|it| {
            it.release.as_mut().unwrap().processes.clear();
            it.seen.clear();
        }),
        "- app: v2 has no process called web
         shop has no process that takes requests
         hint: echo 'web: COMMAND' >> Procfile, and `paas deploy`",
    );
}

#[test]
fn rollouts_are_remarked() {
    check(
        answerer(|it| it.rollout = Some(rollout(failed()))),
        ". rollout: v3 failed: web.1 exited with code 3; v2 serves on",
    );
    check(answerer(|it| it.rollout = Some(rollout(Phase::Watching))), ". rollout: v3 is watching");
}

#[test]
fn instances_that_do_not_answer() {
    let exit = |code, out_of_memory| {
        let at = Timestamp::from_millis(0);
        let exit = Exit { code, out_of_memory, error: None, started_at: None, at };
        vec![instance(1, InstanceState::Exited(exit), Health::UNKNOWN)]
    };
    check(
        answerer(|it| {
            it.seen = exit(3, false);
            it.waiting.insert(ContainerId("c1".to_owned()), Timestamp::from_millis(0));
        }),
        "- web.1: v2 exited with code 3; it starts again at 1970-01-01T00:00:00.000Z
         no instance of shop answers: web.1 exited with code 3; it starts again at \
         1970-01-01T00:00:00.000Z
         hint: `paas logs -a shop -p web.1`",
    );
    check(
        answerer(|it| it.seen = exit(137, true)),
        "- web.1: v2 ran out of memory
         no instance of shop answers: web.1 ran out of memory
         hint: its limit is 512 MiB; raise it with `memory` under [process.web] in paas.toml",
    );
    let seen = || "no answer within 2 s".to_owned();
    check(
        answerer(|it| it.seen = running(Health::Hung { seen: seen() })),
        "- web.1: v2 hangs: no answer within 2 s
         no instance of shop answers: web.1 hangs: no answer within 2 s
         hint: `paas logs -a shop -p web.1`",
    );
    check(
        answerer(|it| {
            let elsewhere = vec!["127.0.0.1:3000".parse().unwrap()];
            let seen = Some("connection refused on port 8080".to_owned());
            it.seen = running(Health::Starting { seen, elsewhere });
        }),
        "- web.1: v2 is not ready: connection refused on port 8080; it listens on 127.0.0.1:3000
         no instance of shop answers: web.1 is not ready: connection refused on port 8080; it \
         listens on 127.0.0.1:3000
         hint: it must listen on 0.0.0.0:$PORT (here 8080)",
    );
}

#[test]
fn one_that_answers_is_enough() {
    check(
        answerer(|it| {
            let state = InstanceState::Running { since: NOW };
            let seen = "answered 500 to GET /up".to_owned();
            it.seen.push(instance(2, state, Health::Failing { seen }));
            let doubt = "liveness: no answer within 2 s, 2 of 3".to_owned();
            it.doubts.insert(ContainerId("c1".to_owned()), doubt);
        }),
        ". web.1: v2 is ready, but: liveness: no answer within 2 s, 2 of 3
         - web.2: v2 fails its check: answered 500 to GET /up",
    );
}

#[test]
fn docker_is_away() {
    check(
        |facts| {
            facts.engine_fault = Some("Docker does not answer at /run/docker.sock".to_owned());
            let answerer = facts.answerer.as_mut().unwrap();
            answerer.seen.clear();
            answerer.requests.held = 2;
        },
        "- docker: Docker cannot be asked: Docker does not answer at /run/docker.sock
         . requests: of 0 since the edge began 0 were answered with 5xx, 0 got no answer; 2 wait for \
         an instance
         Docker does not answer
         hint: `systemctl start docker`; `paas status` tells whether it answers",
    );
}

#[test]
fn there_is_no_machine() {
    check(
        answerer(|it| {
            it.seen.clear();
            let (slot, release) = ("web", ReleaseVersion(2));
            let slot = Slot { process: slot.parse().unwrap(), index: 1 };
            it.pending.push(Pending { slot, release, why: "no machine has zone=a".to_owned() });
        }),
        "- web.1: v2 has no machine: no machine has zone=a
         there is no machine for web.1 of shop: no machine has zone=a
         hint: `paas nodes` shows the machines and their labels",
    );
}
