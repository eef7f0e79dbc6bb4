//! Starts both programs, and ends both when one ends or a signal comes: nginx first, which answers
//! what it has accepted, then php-fpm, which by then has nothing to do.

use std::fs;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

use super::PhpServerError;
use super::config::Settings;

/// Debian's names of the programs.
const FPM: &str = "php-fpm8.4";
const NGINX: &str = "nginx";

/// How long running answers may take when we are told to end; the platform's own deadline is later.
const DRAIN: Duration = Duration::from_secs(25);
/// How long php-fpm may take, with nothing to do.
const IDLE: Duration = Duration::from_secs(3);
/// How long php-fpm may take to listen.
const START: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// Serves until a signal comes.
pub(super) async fn serve(settings: &Settings) -> Result<(), PhpServerError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(PhpServerError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(PhpServerError::Runtime)?;
    write_all(settings)?;
    let fpm_file = settings.fpm_file();
    let mut fpm = start(FPM, &[Path::new("--nodaemonize"), Path::new("--fpm-config"), &fpm_file])?;
    listening(&mut fpm.process, &settings.socket()).await?;
    let nginx_file = settings.nginx_file();
    let nginx = [Path::new("-e"), Path::new("stderr"), Path::new("-c"), &nginx_file];
    let mut nginx = start(NGINX, &nginx)?;
    let outcome = tokio::select! {
        biased;
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        status = nginx.process.wait() => Err(ended(NGINX, status)),
        status = fpm.process.wait() => Err(ended(FPM, status)),
    };
    end(&mut nginx, DRAIN).await;
    end(&mut fpm, IDLE).await;
    outcome
}

fn write_all(settings: &Settings) -> Result<(), PhpServerError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PhpServerError::Write { path, source }
    };
    fs::create_dir_all(&settings.home).map_err(failed(&settings.home))?;
    // A container that is started again has the socket of its last life.
    let socket = settings.socket();
    if socket.exists() {
        fs::remove_file(&socket).map_err(failed(&socket))?;
    }
    for (path, text) in
        [(settings.nginx_file(), settings.nginx()), (settings.fpm_file(), settings.fpm())]
    {
        fs::write(&path, text).map_err(failed(&path))?;
    }
    Ok(())
}

/// A program that runs, with the group of what it started.
struct Program {
    process: Child,
    group: Pid,
}

fn start(program: &'static str, args: &[&Path]) -> Result<Program, PhpServerError> {
    let mut command = Command::new(program);
    // A group of its own, so that what a killed master leaves behind is found.
    command.args(args).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    let failed = |source| PhpServerError::Start { program, source };
    let process = command.spawn().map_err(failed)?;
    let number = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let group = number.ok_or_else(|| failed(std::io::Error::other("it has no number")))?;
    Ok(Program { process, group })
}

/// Waits until php-fpm listens: an app that is asked before would answer with an error.
async fn listening(fpm: &mut Child, socket: &Path) -> Result<(), PhpServerError> {
    let ready = async {
        while UnixStream::connect(socket).await.is_err() {
            sleep(POLL).await;
        }
    };
    tokio::select! {
        biased;
        status = fpm.wait() => Err(ended(FPM, status)),
        ready = timeout(START, ready) => ready.map_err(|_| PhpServerError::Silent),
    }
}

/// Ends a program politely, then not.
async fn end(child: &mut Program, patience: Duration) {
    // QUIT means "when you are done" to both. One that has ended by itself cannot be told.
    let told = child.process.id().is_some() && kill_process(child.group, Signal::QUIT).is_ok();
    if !told || timeout(patience, child.process.wait()).await.is_err() {
        // It is ours and not yet waited for, so this can only fail because it has just ended.
        let _ = child.process.kill().await;
    }
    let _ = kill_process_group(child.group, Signal::KILL);
}

fn ended(program: &'static str, status: std::io::Result<ExitStatus>) -> PhpServerError {
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    PhpServerError::Ended { program, status }
}
