//! The law of the house as data: who may use whom, what has one door, which words are unwelcome.
//!
//! To change the architecture, change `docs/decisions/` and this file in one commit. Nothing here
//! is computed; a reader who knows no Rust can check it against ARCHITECTURE.md.

/// A room in `src/` and what it may name: rooms as `crate::<room>`, our other crates as `<crate>::`.
pub(crate) struct Room {
    pub(crate) name: &'static str,
    pub(crate) may_use: &'static [&'static str],
}

const fn room(name: &'static str, may_use: &'static [&'static str]) -> Room {
    Room { name, may_use }
}

/// Stands in a `may_use` for every room and every crate of ours.
pub(crate) const EVERYTHING: &str = "*";

/// `src/`, in reading order. A room that is not in this table may not exist.
pub(crate) const ROOMS: &[Room] = &[
    room("main", &["daemon", "config", "telemetry", "cli", "buildpacks"]),
    room("faults", &[]),
    room("lib", &[]),
    room("daemon", &[EVERYTHING]),
    room("config", &["model", "limits"]),
    room("model", &[]),
    room("clock", &["model"]),
    room("limits", &["model"]),
    room("telemetry", &["model", "limits"]),
    room("store", &["model", "clock"]),
    room("engine", &["model"]),
    room(
        "control",
        &[
            "model",
            "store",
            "engine",
            "build",
            "acme",
            "dns",
            "logs",
            "node",
            "clock",
            "limits",
            "pki",
            "proxy",
            "faults",
            "telemetry",
            "volumes",
            "backup",
            "registry",
        ],
    ),
    room("ops", &["model", "store", "pki", "clock", "faults", "telemetry"]),
    room(
        "server",
        &[
            "ops",
            "model",
            "store",
            "build",
            "faults",
            "logs",
            "metrics",
            "node",
            "telemetry",
            "clock",
            "limits",
            "git",
            "ssh",
            "registry",
            "pki",
            "backup",
            "api",
        ],
    ),
    room("build", &["model", "engine", "limits", "clock", "faults", "telemetry", "buildpacks"]),
    room("registry", &["model", "limits", "clock"]),
    room("git", &["model"]),
    room("ssh", &["model"]),
    room("acme", &["model", "limits", "clock"]),
    room("pki", &["model", "proxy"]),
    room("dns", &["model", "limits", "clock"]),
    room(
        "node",
        &[
            "model",
            "engine",
            "logs",
            "limits",
            "clock",
            "pki",
            "telemetry",
            "proxy",
            "volumes",
            "backup",
            "faults",
        ],
    ),
    room("volumes", &["model", "engine"]),
    room("backup", &["model", "clock", "faults", "telemetry"]),
    room("logs", &["model", "engine", "clock", "limits"]),
    room("metrics", &["model", "clock", "limits", "node", "proxy"]),
];

/// Folders that may name more than their room may, and why.
pub(crate) const ALSO: &[(&str, &[&str])] = &[
    // Its random users do what users do, through the real verbs.
    ("src/control/apps/simulation/", &["ops"]),
    ("src/control/cron/simulation.rs", &["ops"]),
    // A push is told about its deploy in the words of the command line.
    ("src/server/git/", &["cli"]),
    // And so is whoever deploys with nothing but curl.
    ("src/server/told.rs", &["cli"]),
];

/// Our packages by manifest, and which of our other packages each may depend on.
pub(crate) const PACKAGES: &[(&str, &[&str])] = &[
    ("Cargo.toml", &["api", "buildpacks", "cli", "proxy"]),
    ("proxy/Cargo.toml", &[]),
    ("buildpacks/Cargo.toml", &["launcher"]),
    ("buildpacks/launcher/Cargo.toml", &[]),
    ("cli/Cargo.toml", &["api"]),
    ("cli/api/Cargo.toml", &[]),
    ("fuzz/Cargo.toml", &["buildpacks", "proxy"]),
];

/// All our library crates, as they are named in code and manifests.
pub(crate) const OUR_CRATES: &[&str] = &["api", "buildpacks", "cli", "launcher", "paas", "proxy"];

/// One door per library: a crate may be named only in files under these paths.
pub(crate) const DOORS: &[(&str, &[&str])] = &[
    ("aho_corasick", &["src/logs/"]),
    ("bollard", &["src/engine/", "tests/engine/"]),
    ("croner", &["src/model/schedule.rs"]),
    ("openraft", &["src/store/quorum/"]),
    ("sled", &["src/store/", "src/store.rs"]),
    ("hickory_proto", &["src/dns/"]),
    ("hickory_resolver", &["src/dns/"]),
    ("instant_acme", &["src/acme/"]),
    ("hyper_rustls", &["src/acme/"]),
    ("russh", &["src/ssh/"]),
    ("rustls_platform_verifier", &["src/acme/"]),
    ("rusty_s3", &["src/backup/"]),
    ("tokio_tungstenite", &["src/server/sessions/", "cli/src/client/", "tests/", "proxy/tests/"]),
    ("x509_cert", &["src/pki/"]),
    ("x509_ocsp", &["src/pki/"]),
    ("x509_parser", &["src/pki/"]),
];

/// Code that has no place in some part of the tree, and why. Comments and strings do not count.
pub(crate) const UNWELCOME_CODE: &[(&str, &str, &str)] = &[
    ("", "#[ignore", "a test runs, or it is deleted"),
    ("", "todo!", "unfinished work stays on a branch"),
    ("", "unimplemented!", "unfinished work stays on a branch"),
    ("", "dbg!", "output goes through tracing or the command line's ui"),
    ("src/model/", "tokio::", "the model does no IO"),
    ("src/model/", "async ", "the model never waits"),
    ("src/model/", ".await", "the model never waits"),
    ("src/model/", "std::fs", "the model does no IO"),
    ("src/model/", "std::net::Tcp", "the model does no IO"),
    ("src/model/", "std::process", "the model does no IO"),
    ("src/model/", "SystemTime", "time enters the model as an argument"),
];

/// Notes to self, looked for in the whole of a Rust file, comments included.
/// They are spelt in two halves here so that this file passes its own check.
pub(crate) const NOTES_TO_SELF: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("HA", "CK:")];

/// File and folder names that say nothing about what is inside.
pub(crate) const EMPTY_NAMES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "manager", "misc"];

/// Package registries. Their addresses come from the host's own clients at run time, so that the
/// binary also works where only a mirror answers; no file may name one. Spelt in halves, as above.
pub(crate) const REGISTRY_HOSTS: &[&str] = &[
    concat!("registry.", "npmjs"),
    concat!("registry.", "yarnpkg"),
    concat!("pypi", ".org"),
    concat!("files.", "pythonhosted"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("proxy.", "golang.org"),
    concat!("sum.", "golang.org"),
    concat!("ruby", "gems.org"),
    concat!("repo.", "packagist"),
    concat!("deb.", "debian.org"),
    concat!("archive.", "ubuntu.com"),
    concat!("registry-1.", "docker.io"),
    concat!("index.", "docker.io"),
];

/// Longest Rust file in lines. The aim is 120 at the median and 300 at the ninetieth percentile;
/// this bound only stops what nobody would defend.
pub(crate) const LONGEST_FILE: usize = 450;
