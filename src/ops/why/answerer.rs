//! The app that is to answer: what it is told to do with visitors, whether it runs, and its instances.

use super::{Answerer, Diagnosis, Order, Verdict};
use crate::model::{Exit, Health, InstanceState, Observed, Phase, ProcessName, Release};

/// What visitors meet before any instance.
pub(super) fn rules(answerer: &Answerer, diagnosis: &mut Diagnosis) {
    let name = &answerer.app.name;
    if let Some(said) = &answerer.app.maintenance {
        let message =
            if said.message.is_empty() { String::new() } else { format!(": {}", said.message) };
        diagnosis.link("maintenance", Verdict::Wrong, format!("visitors get 503{message}"));
        let what = format!("{name} is being worked on, and its visitors are told so");
        diagnosis.in_the_way(Order::Rules, what, format!("`paas maintenance off -a {name}`"));
    }
    let Some(release) = &answerer.release else { return };
    let private = &release.deploy.private;
    if private.only {
        let reached = private.reached_by(name);
        diagnosis.link("private", Verdict::Wrong, format!("no host leads to it; {reached}"));
        let hint = "take `only` out of [private] in paas.toml, and `paas deploy`";
        diagnosis.in_the_way(Order::Name, format!("{name} is private: {reached}"), hint);
    } else if !private.allow.is_empty() {
        diagnosis.remark("private", private.reached_by(name));
    }
    let http = &release.deploy.http;
    let list = |networks: &[crate::model::Cidr]| {
        networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    if !http.allow.is_empty() {
        diagnosis.remark("allow", format!("only {} may come in", list(&http.allow)));
    }
    if !http.deny.is_empty() {
        diagnosis.remark("deny", format!("{} may not come in", list(&http.deny)));
    }
    if let Some(rate) = http.rate {
        let limit = format!("{} requests in {:?} from one address", rate.requests, rate.per);
        diagnosis.remark("rate", limit);
    }
    if let Some(gate) = &http.password {
        let key = &gate.password_from;
        // As the edge has it: also what the manifest sets counts, and an empty password does not.
        let is_open = release.environment().get(key).is_some_and(|value| !value.is_empty());
        if is_open || release.secrets.contains_key(key) {
            diagnosis
                .remark("password", format!("visitors must know the password of {}", gate.user));
        } else {
            let fact = format!("{key}, which holds the password, is not set: nobody gets in");
            diagnosis.link("password", Verdict::Wrong, fact);
            let what = format!("{name} asks for a password that is not set");
            diagnosis.in_the_way(Order::Rules, what, format!("`paas secrets set {key} -a {name}`"));
        }
    }
}

/// Whether it is to run at all.
pub(super) fn app(answerer: &Answerer, diagnosis: &mut Diagnosis) {
    let (app, name) = (&answerer.app, &answerer.app.name);
    if app.destroyed_at.is_some() {
        let (fact, hint) = match app.kept_until {
            Some(until) => (
                format!("was destroyed, and is kept until {until}"),
                format!("`paas undelete {name}` brings it back"),
            ),
            None => {
                ("is being destroyed".to_owned(), "`paas apps` lists the apps there are".to_owned())
            }
        };
        diagnosis.link("app", Verdict::Wrong, format!("it {fact}"));
        diagnosis.in_the_way(Order::App, format!("{name} {fact}"), hint);
        return;
    }
    let phase = answerer.rollout.as_ref().map(|rollout| (rollout, &rollout.phase));
    let Some(release) = &answerer.release else {
        return first_deploy(answerer, diagnosis);
    };
    let version = release.version;
    let web = web_of(release);
    let wanted = web.as_ref().map_or(0, |web| app.scale_of(web, release));
    if web.is_none() {
        diagnosis.link("app", Verdict::Wrong, format!("{version} has no process called web"));
        let what = format!("{name} has no process that takes requests");
        diagnosis.in_the_way(
            Order::App,
            what,
            "echo 'web: COMMAND' >> Procfile, and `paas deploy`",
        );
    } else if wanted == 0 {
        diagnosis.link("app", Verdict::Wrong, format!("{version}, scaled to no web instance"));
        let hint = format!("`paas scale web=1 -a {name}`");
        diagnosis.in_the_way(Order::App, format!("{name} is scaled to zero"), hint);
    } else {
        let plural = if wanted == 1 { "" } else { "s" };
        diagnosis.well("app", format!("{version} serves, with {wanted} web instance{plural}"));
    }
    match phase {
        Some((rollout, Phase::Failed { reason, .. } | Phase::Reverting { reason, .. })) => {
            let failed = rollout.to.release;
            diagnosis.remark("rollout", format!("{failed} failed: {reason}; {version} serves on"));
        }
        Some((rollout, phase)) if !phase.is_final() => {
            diagnosis.remark("rollout", format!("{} is {}", rollout.to.release, phase.word()));
        }
        Some(_) | None => {}
    }
}

/// Nothing has served yet.
fn first_deploy(answerer: &Answerer, diagnosis: &mut Diagnosis) {
    let name = &answerer.app.name;
    let (fact, hint) = match answerer.rollout.as_ref().map(|rollout| (rollout, &rollout.phase)) {
        Some((rollout, Phase::Failed { reason, hint, .. })) => (
            format!("its first deploy ({}) failed: {reason}", rollout.to.release),
            hint.clone().unwrap_or_else(|| format!("`paas logs -a {name}`")),
        ),
        Some((rollout, phase)) if !phase.is_final() => (
            format!("its first deploy ({}) is {}", rollout.to.release, phase.word()),
            format!("`paas deploys -a {name}` shows how far it is"),
        ),
        Some(_) | None => {
            ("nothing has been deployed to it".to_owned(), format!("`paas deploy -a {name}`"))
        }
    };
    diagnosis.link("app", Verdict::Wrong, &*fact);
    diagnosis.in_the_way(Order::App, format!("{name}: {fact}"), hint);
}

/// Whether any of its instances can answer.
pub(super) fn instances(
    answerer: &Answerer,
    engine_fault: Option<&str>,
    diagnosis: &mut Diagnosis,
) {
    let name = &answerer.app.name;
    if let Some(fault) = engine_fault {
        diagnosis.link("docker", Verdict::Wrong, format!("Docker cannot be asked: {fault}"));
    }
    let web = answerer.seen.iter().filter(|one| one.instance.slot.process.is_web());
    let web: Vec<&Observed> = web.collect();
    for one in &web {
        let (verdict, fact) = instance(one, answerer);
        let release = one.instance.incarnation.release;
        diagnosis.link(&one.instance.slot.to_string(), verdict, format!("{release} {fact}"));
    }
    let pending = || answerer.pending.iter().filter(|one| one.slot.process.is_web());
    for one in pending() {
        let fact = format!("{} has no machine: {}", one.release, one.why);
        diagnosis.link(&one.slot.to_string(), Verdict::Wrong, fact);
    }
    let ready = web.iter().any(|one| {
        one.health == Health::Ready
            && matches!(one.instance.state, InstanceState::Running { .. })
            && one.stopping_since.is_none()
    });
    let wanted = answerer.release.as_ref().and_then(|release| {
        let web = web_of(release)?;
        (answerer.app.scale_of(&web, release) > 0).then_some(release)
    });
    let Some(release) = wanted.filter(|_| !ready && answerer.app.destroyed_at.is_none()) else {
        return;
    };
    // The one that got furthest says most.
    let worst = web.iter().max_by_key(|one| (one.instance.incarnation, one.instance.attempt));
    let (what, hint) = match (worst, engine_fault) {
        (_, Some(_)) => (
            "Docker does not answer".to_owned(),
            "`systemctl start docker`; `paas status` tells whether it answers".to_owned(),
        ),
        (None, None) => match pending().next() {
            Some(one) => (
                format!("there is no machine for {} of {name}: {}", one.slot, one.why),
                "`paas nodes` shows the machines and their labels".to_owned(),
            ),
            None => (
                format!("no instance of {name} is there yet"),
                format!("`paas events -a {name}` says what keeps them"),
            ),
        },
        (Some(one), None) => {
            let slot = &one.instance.slot;
            let (_, fact) = instance(one, answerer);
            let hint = mend(one, release);
            let hint = hint.unwrap_or_else(|| format!("`paas logs -a {name} -p {slot}`"));
            (format!("no instance of {name} answers: {slot} {fact}"), hint)
        }
    };
    diagnosis.in_the_way(Order::Instances, what, hint);
}

fn instance(one: &Observed, answerer: &Answerer) -> (Verdict, String) {
    let id = &one.instance.id;
    match (&one.instance.state, &one.health) {
        (InstanceState::Created, _) => (Verdict::Wrong, "is made and not started".to_owned()),
        (InstanceState::Exited(exit), _) => {
            let told = one.stopping_since.is_some();
            let verdict = if told { Verdict::Remark } else { Verdict::Wrong };
            let again = answerer.waiting.get(id).map(|at| format!("; it starts again at {at}"));
            (verdict, format!("{exit}{}", again.unwrap_or_default()))
        }
        (InstanceState::Running { .. }, _) if one.stopping_since.is_some() => {
            (Verdict::Remark, "was told to end".to_owned())
        }
        (InstanceState::Running { .. }, Health::Ready) => match answerer.doubts.get(id) {
            Some(doubt) => (Verdict::Remark, format!("is ready, but: {doubt}")),
            None => (Verdict::Well, "is ready".to_owned()),
        },
        (InstanceState::Running { .. }, Health::Failing { seen }) => {
            (Verdict::Wrong, format!("fails its check: {seen}"))
        }
        (InstanceState::Running { .. }, Health::Hung { seen }) => {
            (Verdict::Wrong, format!("hangs: {seen}"))
        }
        (InstanceState::Running { .. }, Health::Starting { seen, elsewhere }) => {
            let seen = seen.as_ref().map_or_else(String::new, |seen| format!(": {seen}"));
            let places: Vec<String> = elsewhere.iter().map(ToString::to_string).collect();
            let listens = match &places[..] {
                [] => String::new(),
                places => format!("; it listens on {}", places.join(", ")),
            };
            (Verdict::Wrong, format!("is not ready{seen}{listens}"))
        }
    }
}

/// What is to be done about one that does not answer, where that is certain.
fn mend(one: &Observed, release: &Release) -> Option<String> {
    let process = release.processes.get(&one.instance.slot.process)?;
    let name = &process.name;
    match (&one.instance.state, &one.health) {
        (InstanceState::Exited(Exit { out_of_memory: true, .. }), _) => Some(format!(
            "its limit is {}; raise it with `memory` under [process.{name}] in paas.toml",
            process.limits.memory
        )),
        (InstanceState::Running { .. }, Health::Starting { elsewhere, .. })
            if !elsewhere.is_empty() =>
        {
            Some(format!("it must listen on 0.0.0.0:$PORT (here {})", process.port?))
        }
        _ => None,
    }
}

/// What became of the requests so far.
pub(super) fn requests(answerer: &Answerer, diagnosis: &mut Diagnosis) {
    let requests = answerer.requests;
    if requests.all + requests.held == 0 {
        return;
    }
    let mut fact = format!(
        "of {} since the edge began {} were answered with 5xx, {} got no answer",
        requests.all, requests.faults, requests.unanswered
    );
    if requests.held > 0 {
        fact = format!("{fact}; {} wait for an instance", requests.held);
    }
    diagnosis.remark("requests", fact);
}

fn web_of(release: &Release) -> Option<ProcessName> {
    release.processes.keys().find(|name| name.is_web()).cloned()
}
