//! Records and certificates in, sites and rules out, one line a site.

use std::{fmt::Write as _, time::Duration};

use proxy::{Certificate, Forwarded, Plain};

use super::*;
use crate::model::{
    Actor, App, Config, DomainName, HttpSettings, Incarnation, Maintenance, PasswordGate,
    RateLimit, Release, ReleaseVersion, Timestamp, build::DeploySettings,
};

fn app(name: &str, http: HttpSettings, config: Config) -> (AppName, AppState) {
    let name: AppName = name.parse().unwrap();
    let version = ReleaseVersion(1);
    let release = Release {
        config,
        deploy: DeploySettings { http: Box::new(http), ..DeploySettings::default() },
        ..Release::example(name.clone(), version)
    };
    let mut app = App::new(name.clone(), Timestamp::default());
    app.current = Some(Incarnation { release: version, restart: 0 });
    let releases = BTreeMap::from([(version, release)]);
    (
        name,
        AppState {
            app,
            rollout: None,
            releases,
            held: [].into(),
            away: [].into(),
            nowhere: [].into(),
            scattered: false,
        },
    )
}

/// `example.com/api shop`, with `strip` or the name that it moves to at the end.
fn domain(line: &str) -> Domain {
    let words: Vec<&str> = line.split(' ').collect();
    let (name, path) = words[0].split_at(words[0].find('/').unwrap_or(words[0].len()));
    let strip = words.get(2) == Some(&"strip");
    Domain {
        name: name.parse().unwrap(),
        path: if path.is_empty() { "/" } else { path }.parse().unwrap(),
        strip,
        app: words[1].parse().unwrap(),
        moved_to: words.get(2).filter(|_| !strip).map(|n| n.parse::<DomainName>().unwrap()),
        created_at: Timestamp::default(),
        by: Actor::platform(),
    }
}

fn ground(https: Option<u16>, proved: &[&str]) -> Ground {
    let key = rcgen::generate_simple_self_signed(["any.test".to_owned()]).unwrap();
    let pem = (key.cert.pem(), key.signing_key.serialize_pem());
    let certificate = Certificate::from_pem(&pem.0, &pem.1).unwrap();
    let host = |name: &&str| (name.parse().unwrap(), certificate.clone());
    let hosts = proved.iter().map(host).collect();
    Ground {
        domain: "paas.test".to_owned(),
        https,
        certificates: Arc::new(Certificates { hosts, ..Certificates::default() }),
        key: EdgeKey::new([7; 32]),
        sealing: SealingKey::new([7; 32]),
    }
}

fn shown(pattern: &Pattern, site: &Site) -> String {
    let mut line = pattern.to_string();
    match site.plain {
        Plain::Served => {}
        Plain::Redirected { port } => write!(line, " tls:{port}").unwrap(),
    }
    if let Some(hsts) = site.hsts {
        write!(line, " hsts:{}", hsts.max_age.as_secs()).unwrap();
    }
    if let Some(target) = &site.moved_to {
        write!(line, " to:{}", target.as_str()).unwrap();
    }
    for route in &site.routes {
        let mark = if route.forwarded == Forwarded::Stripped { "-" } else { "" };
        write!(line, " {}{mark}={}", route.prefix, route.to).unwrap();
    }
    line
}

#[track_caller]
fn check(http: HttpSettings, domains: &[&str], ground: &Ground, expected: &[&str]) {
    let apps =
        [app("shop", http, Config::new()), app("blog", HttpSettings::default(), Config::new())];
    let domains: Vec<Domain> = domains.iter().map(|line| domain(line)).collect();
    let there = apps.iter().map(|(name, state)| (name, state)).collect();
    let sites = site::sites(&there, &domains, ground);
    let lines: Vec<String> = sites.iter().map(|(pattern, site)| shown(pattern, site)).collect();
    assert_eq!(lines, expected);
}

#[test]
fn no_host_leads_to_an_app_that_is_private() {
    let private = |name: &str| {
        let (name, mut state) = app(name, HttpSettings::default(), Config::new());
        for release in state.releases.values_mut() {
            release.deploy.private.only = true;
        }
        (name, state)
    };
    let apps = [private("shop"), app("blog", HttpSettings::default(), Config::new())];
    let there = apps.iter().map(|(name, state)| (name, state)).collect();
    let domains = ["shop.com shop", "example.com shop", "example.com/blog blog"].map(domain);
    let sites = site::sites(&there, &domains, &ground(None, &[]));
    let lines: Vec<String> = sites.iter().map(|(pattern, site)| shown(pattern, site)).collect();
    assert_eq!(lines, ["blog.paas.test /=blog", "example.com /blog=blog"]);
}

#[test]
fn domains_lead_to_their_apps_path_by_path() {
    let domains = [
        "example.com shop",
        "example.com/blog blog strip",
        "*.example.com shop",
        "www.example.com shop example.com",
        "gone.example.com nobody",
        "blog.paas.test shop",
    ];
    check(
        HttpSettings::default(),
        &domains,
        &ground(None, &[]),
        &[
            "blog.paas.test /=blog",
            "example.com /=shop /blog-=blog",
            "shop.paas.test /=shop",
            "www.example.com to:example.com /=shop",
            "*.example.com /=shop",
        ],
    );
}

#[test]
fn nobody_is_sent_to_tls_that_is_not_there() {
    let strict = HttpSettings {
        redirect: Some(true),
        hsts: Some(Duration::from_hours(1)),
        ..HttpSettings::default()
    };
    let domains = ["example.com shop", "a.example.com shop", "*.example.org shop"];
    let plain = [
        "a.example.com /=shop",
        "blog.paas.test /=blog",
        "example.com /=shop",
        "shop.paas.test /=shop",
        "*.example.org /=shop",
    ];
    let proved = ["example.com", "*.example.org", "*.paas.test"];
    check(strict.clone(), &domains, &ground(Some(443), &[]), &plain);
    check(strict.clone(), &domains, &ground(None, &proved), &plain);
    check(
        strict,
        &domains,
        &ground(Some(443), &proved),
        &[
            "a.example.com /=shop",
            "blog.paas.test tls:443 /=blog",
            "example.com tls:443 hsts:3600 /=shop",
            "shop.paas.test tls:443 hsts:3600 /=shop",
            "*.example.org tls:443 hsts:3600 /=shop",
        ],
    );
    let open = HttpSettings { redirect: Some(false), ..HttpSettings::default() };
    check(
        open,
        &["example.com shop"],
        &ground(Some(8443), &proved),
        &["blog.paas.test tls:8443 /=blog", "example.com /=shop", "shop.paas.test /=shop"],
    );
}

#[test]
fn what_an_app_asks_for_becomes_rules() {
    let http = HttpSettings {
        compress: true,
        sticky: true,
        max_body: Some(crate::model::ByteSize(1000)),
        max_in_flight: Some(5),
        allow: vec!["10.0.0.0/8".parse().unwrap()],
        deny: vec!["2001:db8::1".parse().unwrap()],
        rate: Some(RateLimit { requests: 10, per: Duration::from_secs(1), burst: 20 }),
        password: Some(PasswordGate {
            user: "me".to_owned(),
            password_from: "GATE".parse().unwrap(),
        }),
        pages: BTreeMap::from([(503, "<p>soon</p>".to_owned())]),
        slow_start: Some(Duration::from_secs(9)),
        ..HttpSettings::default()
    };
    let key = EdgeKey::new([7; 32]);
    let with = |value: &str| Config::from([("GATE".parse().unwrap(), value.to_owned())]);
    let keys = |password| Keys { edge: &key, password };
    let policy_of = |config| policy::policy(&app("shop", http.clone(), config).1, &keys(None));
    let policy = policy_of(with("secret"));
    assert_eq!(policy, policy_of(with("secret")), "equal settings are equal rules");
    assert_eq!((policy.most_body, policy.most_in_flight), (Some(1000), Some(5)));
    assert_eq!((policy.access.allow.len(), policy.access.deny.len()), (1, 1));
    assert_eq!(policy.rate.map(|rate| rate.burst), Some(20));
    assert_eq!(&*policy.pages.0[&503], "<p>soon</p>");
    assert!(policy.sticky.is_some() && policy.compression == proxy::Compression::Text);
    let password = policy.password.unwrap();
    let other = policy_of(with("other")).password.unwrap();
    assert!(password.digests.len() == 1 && password.digests != other.digests);
    let text = format!("{password:?}");
    assert!(!text.contains("secret"), "{text}");
    let secret = SecretValue::new("secret".to_owned());
    let (_, state) = app("shop", http.clone(), Config::new());
    let sealed = policy::policy(&state, &keys(Some(secret))).password.unwrap();
    assert_eq!(sealed.digests, password.digests, "a password may be a secret");
    for nothing in [Config::new(), with("")] {
        let shut = policy_of(nothing).password.unwrap();
        assert!(shut.digests.is_empty(), "nobody is let in without a password");
    }
}

#[test]
fn maintenance_needs_no_release() {
    let (_, mut state) = app("shop", HttpSettings::default(), Config::new());
    state.app.current = None;
    state.app.maintenance =
        Some(Maintenance { message: "Back at noon.".to_owned(), since: Timestamp::default() });
    let key = EdgeKey::new([7; 32]);
    let policy = policy::policy(&state, &Keys { edge: &key, password: None });
    assert_eq!(policy.maintenance.unwrap().explanation, "Back at noon.");
}
