//! A whole manifest, and what is said of every kind of mistake.

use std::time::Duration;

use super::{ByteSize, Manifest, ManifestError, ManifestFile};
use crate::model::{BackupsKept, Queueing, Strategy, takeover::Batch};

#[test]
fn how_a_release_takes_over_can_be_said() {
    let text = r#"
        [deploy]
        strategy = "blue-green"
        batch = 2
        max_fail = 1
        canary = "2.5%"
        canary_for = "90s"
        watch = "30s"
        queue = "newest"
        keep = 25
        [process.worker]
        strategy = "recreate"
    "#;
    let manifest = Manifest::parse(text).unwrap();
    assert_eq!(manifest.deploy.queue, Some(Queueing::Newest));
    assert_eq!(manifest.deploy_settings().keep, Some(25));
    let takeover = manifest.deploy_settings().takeover;
    let strategy = |name: &str| takeover.strategy_of(&name.parse().unwrap()).word();
    assert_eq!((strategy("web"), strategy("worker")), ("blue-green", "recreate"));
    assert_eq!((takeover.batch, takeover.max_fail), (Some(Batch::Count(2)), 1));
    assert_eq!((takeover.canary.permille(), takeover.canary_for.as_secs()), (25, 90));
    assert_eq!(takeover.watch, Duration::from_secs(30));
}

#[test]
fn jobs_by_the_clock_can_be_said() {
    let text = r#"
        [cron.nightly]
        schedule = "30 3 * * mon-fri"
        command = "bin/report --all"
        timezone = "Europe/Berlin"
        overlap = "replace"
        timeout = "10m"
        catch_up = "2h"
        process = "worker"
        memory = "64m"
        [cron.hourly]
        schedule = "@hourly"
        command = ["bin/tick", "a b"]
    "#;
    let jobs = Manifest::parse(text).unwrap().deploy_settings().cron;
    let shown = |name: &str| {
        let job = &jobs[&name.parse::<crate::model::CronName>().unwrap()];
        let crate::model::CronJob {
            schedule, timezone, command, overlap, timeout, catch_up, ..
        } = job;
        format!("{schedule}; {timezone}; {command}; {}; {timeout:?}; {catch_up:?}", overlap.word())
    };
    let nightly = "30 3 * * mon-fri; Europe/Berlin; bin/report --all; replace; 600s; 7200s";
    assert_eq!(shown("nightly"), nightly);
    assert_eq!(shown("hourly"), "@hourly; UTC; bin/tick 'a b'; forbid; 86400s; 3600s");

    let error = |lines: &str| {
        let error = Manifest::parse(&format!("[cron.nightly]\n{lines}")).unwrap_err();
        format!("{error} hint: {}", error.hint.clone().unwrap_or_default())
    };
    let told = error("schedule = \"0 24 * * *\"\ncommand = \"x\"");
    assert!(told.starts_with("paas.toml line 2: `24` is not an hour: 0 to 23"), "{told}");
    let told = error("command = \"x\"");
    assert!(told.contains("`nightly` has no `schedule` hint: schedule = \"30 3 * * *\""), "{told}");
    let told = error("schedule = \"@daily\"\ncommand = \"x\"\ntimezone = \"Berlin\"");
    assert!(told.contains("line 4: `Berlin` is not a time zone"), "{told}");
    let told = error("schedule = \"@daily\"\ncommand = \"x\"\noverlap = \"deny\"");
    assert!(told.contains("line 4: `deny` is no way to overlap"), "{told}");
    assert!(error("schedule = \"@daily\"\ncommand = []").contains("names no program"));
    assert!(error("shedule = \"@daily\"\ncommand = \"x\"").contains("did you mean `schedule`?"));
}

#[test]
fn everything_can_be_said() {
    let manifest = Manifest::parse(
        r#"
        app = "shop"
        x-owner = "me"
        [env]
        GREETING = "hi $there"
        [process.web]
        command = "node server.js"
        port = 3000
        scale = 2
        memory = "256m"
        cpu = 0.5
        stop_timeout = "250ms"
        [process.web.health]
        path = "/up"
        interval = "1s"
        timeout = "2s"
        grace = "5m"
        [deploy]
        timeout = "3m"
        drain = "10s"
        [build]
        memory = "2g"
        timeout = "1h"
        [build.env]
        NODE_OPTIONS = "--max-old-space-size=512"
        [http]
        protocol = "h2c"
        redirect = false
        hsts = "365d"
        compress = true
        max_body = "10m"
        max_in_flight = 200
        sticky = true
        allow = ["10.0.0.0/8", "2001:db8::1"]
        deny = ["10.1.0.0/16"]
        rate = "100/1m"
        burst = 20
        password = { user = "me", password_from = "GATE" }
        slow_start = "10s"
        assets = ["/assets/", "/_next/static/"]
        assets_for = "2d"
        [http.pages]
        503 = "pages/503.html"
        [x-mine]
        anything = 1
        "#,
    )
    .unwrap();
    assert_eq!(manifest.app.unwrap().as_str(), "shop");
    assert_eq!(manifest.env.values().next().unwrap(), "hi $there");
    assert_eq!(manifest.build.env.values().next().unwrap(), "--max-old-space-size=512");
    let web = manifest.processes.values().next().unwrap();
    assert_eq!((web.port, web.scale, web.cpu_millis), (Some(3000), Some(2), Some(500)));
    assert_eq!(web.memory, Some(ByteSize::mib(256)));
    assert_eq!(web.stop_timeout, Some(Duration::from_millis(250)));
    assert_eq!(web.health.grace, Some(Duration::from_mins(5)));
    assert_eq!(manifest.build.timeout, Some(Duration::from_hours(1)));
    let http = &manifest.http;
    assert_eq!((http.redirect, http.hsts), (Some(false), Some(Duration::from_hours(24 * 365))));
    assert_eq!((http.max_body, http.max_in_flight), (Some(ByteSize::mib(10)), Some(200)));
    assert_eq!(http.rate.map(|rate| (rate.requests, rate.burst)), Some((100, 20)));
    assert_eq!((http.allow.len(), http.deny.len()), (2, 1));
    assert!(http.compress && http.sticky && http.protocol == crate::model::HttpProtocol::H2c);
    assert_eq!(http.password.as_ref().unwrap().password_from.as_str(), "GATE");
    assert_eq!((http.assets.len(), http.assets_last()), (2, Some(Duration::from_hours(48))));
    assert_eq!(manifest.pages[&503], "pages/503.html");
    assert_eq!(Manifest::parse("").unwrap(), Manifest::default());
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table, and as long as there are mistakes")]
fn mistakes_are_named_with_their_line() {
    let cases = [
        ("\n\nproces = 1", "paas.toml line 3: unknown key `proces` hint: did you mean `process`?"),
        ("name = \"shop\"", "paas.toml line 1: unknown key `name` hint: did you mean `app`?"),
        (
            "[build]\nzzz = 1",
            "paas.toml line 2: unknown key `zzz` in [build] hint: known here: args, builder, \
             buildpacks, disk, dockerfile, env, image, memory, pids, secrets, target, timeout",
        ),
        (
            "[build]\nimage = \"nginx\"\ndockerfile = \"Dockerfile\"",
            "paas.toml line 3: `dockerfile` stands beside `image` hint: an image comes about in \
             one way: leave out `dockerfile` or `image`",
        ),
        (
            "[build]\nbuildpacks = [\"paas/nodejs\"]\nimage = \"nginx\"",
            "paas.toml line 2: `buildpacks` stands beside `image` hint: an image comes about in \
             one way: leave out `buildpacks` or `image`",
        ),
        (
            "[build]\ndockerfile = \"../Dockerfile\"",
            "paas.toml line 2: `../Dockerfile` is not a file in the app's folder hint: \
             dockerfile = \"docker/Dockerfile\"",
        ),
        (
            "[build]\nimage = \"a b\"",
            "paas.toml line 2: `a b` is not an image's name; write it as Docker does: `nginx:1.29`",
        ),
        (
            "[process.web]\nmemry = \"1g\"",
            "paas.toml line 2: unknown key `memry` in [process.web] hint: did you mean `memory`?",
        ),
        (
            "[process.web.health]\ngrace = 30",
            "paas.toml line 2: `grace` is not text hint: write it like grace = \"30s\", \"5m\" \
             or \"250ms\"",
        ),
        (
            "[deploy]\ndrain = \"10 s\"",
            "paas.toml line 2: `10 s` is not a duration hint: write it like drain = \"30s\", \
             \"5m\" or \"250ms\"",
        ),
        ("[process.web]\nport = 70000", "paas.toml line 2: `port` is not a number from 1 to 65535"),
        ("[process.web]\nscale = 101", "paas.toml line 2: `scale` is not a number from 0 to 100"),
        (
            "[process.web]\ncpu = \"1\"",
            "paas.toml line 2: `cpu` is not a number of cores from 0.01 to 1000 hint: cpu = 0.5",
        ),
        ("[process.web]\nmemory = \"1m\"", "paas.toml line 2: `memory` is less than 16 MiB"),
        (
            "[process.web]\nmemory = \"lots\"",
            "paas.toml line 2: `lots` is not a size; write it like `256m`, `1g` or `65536`",
        ),
        (
            "[process.web.health]\npath = \"up\"",
            "paas.toml line 2: `up` is not an HTTP path hint: path = \"/health\"",
        ),
        (
            "[env]\nA = 1",
            "paas.toml line 2: the value of `A` is not text hint: put the value in double quotes",
        ),
        (
            "[env]\nPORT = \"1\"",
            "paas.toml line 2: `PORT` is not a valid environment variable: `PORT` and names \
             starting with `PAAS_` or `CNB_` are set by the platform",
        ),
        (
            "[process.Web]",
            "paas.toml line 1: `Web` is not a valid process name: 1 to 30 characters: lower-case \
             letters, digits, `-` and `_`, starting with a letter",
        ),
        (
            "[http]\nprotocol = \"http2\"",
            "paas.toml line 2: `http2` is not a protocol hint: protocol = \"http1\", or \"h2c\" \
             for gRPC",
        ),
        (
            "[http]\nhsts = \"9999d\"",
            "paas.toml line 2: `9999d` is not a duration of up to two years hint: hsts = \
             \"365d\", once HTTPS works; \"0s\" takes it back",
        ),
        (
            "[http]\nallow = [\"10.0.0.0/99\"]",
            "paas.toml line 2: `10.0.0.0/99` is not a valid network: an address or a range of \
             addresses, such as `203.0.113.7` or `10.0.0.0/8`",
        ),
        (
            "[http]\nrate = \"fast\"",
            "paas.toml line 2: `fast` is not a number of requests per time hint: rate = \
             \"100/1m\" is a hundred requests a minute from one client",
        ),
        ("[http]\nburst = 5", "paas.toml line 2: `burst` stands without a `rate`"),
        ("[http]\ncompress = 1", "paas.toml line 2: `compress` is neither true nor false"),
        (
            "[http]\nassets = [\"assets/\"]",
            "paas.toml line 2: `assets/` is not a valid beginning of a path: `/assets/`, for example: \
             it begins with `/` and has no `?`, `%` or `..`",
        ),
        (
            "[http]\nassets_for = \"1h\"",
            "paas.toml line 2: `assets_for` stands without `assets` hint: assets = [\"/assets/\"] \
             says which files are meant",
        ),
        (
            "[http]\nassets = [\"/a\"]\nassets_for = \"8d\"",
            "paas.toml line 3: `8d` is not a duration of up to a week hint: assets_for = \"1h\"; it \
             costs the memory of an instance for so long",
        ),
        (
            "[http]\ncompres = true",
            "paas.toml line 2: unknown key `compres` in [http] hint: did you mean `compress`?",
        ),
        (
            "[http]\npassword = { user = \"me\" }",
            "paas.toml line 2: `password` needs a `user` and the variable that holds the password \
             hint: password = { user = \"me\", password_from = \"SITE_PASSWORD\" }",
        ),
        (
            "[http.pages]\n200 = \"a.html\"",
            "paas.toml line 2: `200` is not a status from 400 to 599 hint: 503 = \
             \"pages/503.html\"",
        ),
        (
            "[http.pages]\n503 = \"../secret\"",
            "paas.toml line 2: the page of 503 is not a file of the app's folder hint: 503 = \
             \"pages/503.html\"",
        ),
        (
            "process = 1",
            "paas.toml line 1: `process` is not a section hint: write it as a section: \
             `[process]`",
        ),
    ];
    for (text, expected) in cases {
        let error = Manifest::parse(text).unwrap_err();
        let hint = error.hint.as_ref().map(|hint| format!(" hint: {hint}")).unwrap_or_default();
        assert_eq!(format!("{error}{hint}"), expected, "{text}");
    }
    let error = Manifest::parse("a = = 1").unwrap_err().to_string();
    assert!(error.starts_with("paas.toml line 1: not valid TOML: "), "{error}");
}

#[test]
fn an_environment_counts_before_what_all_have() {
    let base = ManifestFile {
        name: "paas.toml",
        text: "app = \"shop\"\n[env]\nA = \"1\"\nB = \"2\"\n[process.web]\nscale = 3\n\
               [process.web.health]\npath = \"/up\"\n[process.worker]\ncommand = \"w\"\n\
               [build]\ndockerfile = \"Dockerfile\"\n[http]\nallow = [\"10.0.0.0/8\"]",
    };
    let overlay = |text| Manifest::read(&[ManifestFile { name: "paas.staging.toml", text }, base]);
    let manifest = overlay(
        "app = \"shop-staging\"\n[env]\nB = \"3\"\n[process.web]\nscale = 1\n\
         [process.clock]\ncommand = \"c\"\n[build]\nimage = \"nginx\"\n\
         [http]\nallow = [\"10.1.0.0/16\"]",
    )
    .unwrap();
    assert_eq!(manifest.app.unwrap().as_str(), "shop-staging");
    assert_eq!(manifest.env.values().collect::<Vec<_>>(), ["1", "3"]);
    let web = &manifest.processes["web"];
    assert_eq!((web.scale, web.health.path.as_deref()), (Some(1), Some("/up")));
    assert_eq!(manifest.processes.len(), 3);
    assert!(matches!(manifest.build.way, super::BuildWay::Image(_)));
    assert_eq!(manifest.http.allow.len(), 1);
    let fault = |text| overlay(text).unwrap_err().to_string();
    assert_eq!(fault("\n[env]\nA = 1"), "paas.staging.toml line 3: the value of `A` is not text");
    assert_eq!(fault("[proces]"), "paas.staging.toml line 1: unknown key `proces`");
    assert_eq!(fault("process = 1"), "paas.staging.toml line 1: `process` is not a section");
    assert_eq!(
        fault("[build]\nimage = \"a b\"").split(':').next(),
        Some("paas.staging.toml line 2")
    );
}

#[test]
fn a_volume_belongs_to_one_instance_of_one_process() {
    let text = "[process.web]\nport = 80\n[volume.data]\npath = \"/var/lib/app\"\nsize = \"10g\"\n\
                [volume.spool]\npath = \"/spool\"\nprocess = \"worker\"\n[deploy]\nstrategy = \"rolling\"";
    let manifest = Manifest::parse(text).unwrap();
    let data = &manifest.processes["web"].volumes["data"];
    assert_eq!((data.path.as_str(), data.size), ("/var/lib/app", Some(ByteSize(10 << 30))));
    assert_eq!(manifest.processes["worker"].volumes["spool"].path.as_str(), "/spool");
    let takeover = manifest.deploy_settings().takeover;
    for (name, strategy) in
        [("web", Strategy::Recreate), ("worker", Strategy::Recreate), ("other", Strategy::Rolling)]
    {
        assert_eq!(takeover.strategy_of(&name.parse().unwrap()), strategy, "{name}");
    }
    let refused = |before: &str, after: &str, fault: &str| {
        let text = format!("{before}\n[volume.data]\npath = \"/data\"\n{after}");
        let error = Manifest::parse(&text).unwrap_err();
        assert!(error.fault.contains(fault) && error.hint.is_some(), "{error} {:?}", error.hint);
    };
    refused("[process.web]\nstrategy = \"blue-green\"", "", "beside the old");
    refused("[process.web]\nscale = 2", "", "more than one instance");
    refused("", "process = \"release\"", "runs beside");
    refused("", "[volume.more]\npath = \"/data\"", "both at /data");
    refused("", "[volume.less]\nsize = \"1g\"", "no place");
    assert!(Manifest::parse("[volume.data]\npath = \"/proc/x\"").is_err());
    assert!(Manifest::parse("[volume.Data]\npath = \"/data\"").is_err());
}

#[test]
fn an_app_says_who_finds_it() {
    let private = |text: &str| Manifest::parse(text).map(|it| *it.deploy_settings().private);
    assert!(private("").unwrap().are_usual());
    let said = private("[private]\nallow = [\"shop\", \"worker-app\"]\nonly = true").unwrap();
    assert_eq!(said.allow, ["shop", "worker-app"].map(|app| app.parse().unwrap()).into());
    assert!(said.only);
    for wrong in ["allow = \"shop\"", "allow = [\"No App\"]", "only = \"yes\"", "public = false"] {
        assert!(private(&format!("[private]\n{wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn a_volume_says_when_it_is_backed_up() {
    let of = |more: &str| {
        let text = format!("[volume.data]\npath = \"/data\"\n{more}");
        Ok(Manifest::parse(&text)?.processes["web"].volumes["data"].clone())
    };
    let wanted = of("backup = \"30 3 * * *\"\nkeep_backups = 3").unwrap();
    assert_eq!(wanted.backup.unwrap().as_str(), "30 3 * * *");
    assert_eq!(wanted.keep_backups, Some(BackupsKept(3)));
    let silent = of("").unwrap();
    assert_eq!((silent.backup, silent.keep_backups), (None, None));
    for wrong in ["backup = \"at night\"", "keep_backups = 0", "keep_backups = 366"] {
        let refused: Result<_, ManifestError> = of(wrong);
        assert!(refused.is_err(), "{wrong}");
    }
}

#[test]
fn a_process_asks_for_machines_by_their_labels() {
    let read = |lines: &str| Manifest::parse(&format!("[process.web.place]\n{lines}"));
    let manifest = read("zone = \"a\"\n\"example.com/disk\" = \"ssd\"").unwrap();
    let mut web = crate::model::Process::plain("web".parse().unwrap(), Vec::new(), String::new());
    manifest.processes[&web.name].describe(&mut web);
    let asked: Vec<_> = web.place.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(asked, ["example.com/disk=ssd", "zone=a"]);
    for bad in ["Zone = \"a\"", "zone = \"a b\"", "zone = 1"] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
