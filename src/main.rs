//! `paas`: argv → builder or launcher (inside containers), daemon, or client → exit code.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use cli::{InitArgs, Invocation, JoinArgs, ServerArgs};
use paas::{
    config::{self, ApiAddress, Given},
    daemon::{
        self,
        folders::Folders,
        init::{Setup, init},
        join::Wish,
        upgrade::{From, Start},
    },
    telemetry,
};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    if let Some(code) = buildpacks::run(&name, arguments.collect()) {
        return code;
    }
    match cli::parse(std::env::args_os()) {
        Ok(Invocation::Client(request)) => cli::run(*request),
        Ok(Invocation::Server(arguments)) => serve(*arguments),
        Ok(Invocation::Init(arguments)) => prepare(arguments),
        Ok(Invocation::Join(arguments)) => join(arguments),
        Err(code) => code,
    }
}

/// Runs the daemon until it is told to end.
fn serve(arguments: ServerArgs) -> ExitCode {
    telemetry::start(arguments.log.as_deref());
    let from = if arguments.take_over { From::Predecessor } else { From::Scratch };
    let start = Start {
        arguments: std::env::args_os().skip(1).collect(),
        from,
        notify: std::env::var_os("NOTIFY_SOCKET"),
        given: given(arguments),
    };
    let config = match config::resolve(&start.given) {
        Ok(config) => config,
        Err(faults) => {
            let faults: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
            return fail(&format!("error: the configuration is not valid:\n{}", faults.join("\n")));
        }
    };
    match runtime().block_on(daemon::run(config, start)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&daemon::explain(&error)),
    }
}

/// Prepares a data folder and says what to do next.
fn prepare(arguments: InitArgs) -> ExitCode {
    let setup = Setup {
        data: arguments.data.clone(),
        restore: arguments.restore,
        settings: settings([
            ("domain", arguments.domain),
            ("dns", arguments.dns),
            ("acme", arguments.acme),
            ("acme_email", arguments.email),
        ])
        .collect(),
        unit: arguments.systemd.then(unit),
    };
    match runtime().block_on(init(&setup)) {
        Ok(made) => {
            let api = api_address(&arguments.data);
            let start = match &made.unit {
                Some(_) => "systemctl enable --now paas".to_owned(),
                None => format!("paas server --data {}", arguments.data.display()),
            };
            say(&format!(
                "Data folder   {}\n\
                 Settings      {}\n\
                 Fingerprint   {}\n\
                 Admin token   {}\n\
                               (shown once; `paas init` makes another)\n\n\
                 Next:\n  {start}\n  \
                 paas login {api} --fingerprint … --token …\n  \
                 paas deploy     (in a folder with an app)",
                arguments.data.display(),
                made.config.display(),
                made.fingerprint,
                made.token,
            ));
            ExitCode::SUCCESS
        }
        Err(error) => fail(&daemon::init::explain(&error)),
    }
}

/// Makes this machine a node and says what to do next.
fn join(arguments: JoinArgs) -> ExitCode {
    let data = std::path::absolute(&arguments.data).unwrap_or(arguments.data);
    let wish = Wish {
        token: arguments.token,
        data: data.clone(),
        name: arguments.name,
        host_name: host_name(),
        listen: arguments.listen,
        address: arguments.address,
        unit: arguments.systemd.then(unit),
    };
    let start = match &wish.unit {
        Some(_) => "systemctl enable --now paas".to_owned(),
        None => format!("paas server --data {}", data.display()),
    };
    match runtime().block_on(daemon::join::join(&wish)) {
        Ok(node) => {
            say(&format!(
                "Data folder   {}\n\
                 Node          {}\n\
                 Control       {}\n\
                 Link          {}, which others reach at {}\n\n\
                 Next:\n  {start}",
                data.display(),
                node.name,
                node.control.name,
                node.listen,
                node.address,
            ));
            ExitCode::SUCCESS
        }
        Err(error) => fail(&daemon::join::explain(&error)),
    }
}

/// Where a systemd unit is written, and which binary it starts.
fn unit() -> (PathBuf, PathBuf) {
    let binary = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("paas"));
    (PathBuf::from(UNIT), binary)
}

/// Everything a configuration is made of: flags, environment, file and machine.
fn given(arguments: ServerArgs) -> Given {
    // Docker binds folders of it, and takes only whole paths.
    let data = std::path::absolute(&arguments.data).unwrap_or(arguments.data);
    let folders = Folders::of(&data);
    let flags = [
        ("http", arguments.http),
        ("https", arguments.https),
        ("dns", arguments.dns),
        ("ssh", arguments.ssh),
        ("api", arguments.api),
        ("domain", arguments.domain),
        ("node", arguments.node),
    ];
    Given {
        file: read(arguments.config.unwrap_or_else(|| folders.config())),
        installation: read(folders.installation()),
        environment: std::env::vars().collect::<BTreeMap<_, _>>(),
        flags: settings(flags).collect(),
        host_name: host_name(),
        data,
    }
}

/// A file with settings, if there is one.
fn read(path: PathBuf) -> Option<(PathBuf, String)> {
    let text = std::fs::read_to_string(&path).ok()?;
    Some((path, text))
}

/// Those settings that were given, by name.
fn settings<const N: usize>(
    given: [(&str, Option<String>); N],
) -> impl Iterator<Item = (String, String)> {
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)))
}

/// Where the API will be found, as far as this machine can tell.
fn api_address(data: &Path) -> String {
    let folders = Folders::of(data);
    let given = Given {
        file: read(folders.config()),
        installation: read(folders.installation()),
        host_name: host_name(),
        data: data.to_owned(),
        ..Given::default()
    };
    let config = config::resolve(&given).ok();
    let address = config.as_ref().and_then(|config| config.api.first().copied());
    match (address, config) {
        (Some(ApiAddress::Https(at)), Some(config)) if at.ip().is_unspecified() => {
            format!("https://{}:{}", config.domain, at.port())
        }
        (Some(address), _) => address.to_string(),
        (None, _) => "https://HOST:PORT".to_owned(),
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads and file descriptors are there when a program starts")
}

/// A reader that has gone, as in `paas init | head`, is not an error.
fn say(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

#[expect(clippy::print_stderr, reason = "the daemon's last words go to its terminal")]
fn fail(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::FAILURE
}

const UNIT: &str = "/etc/systemd/system/paas.service";
