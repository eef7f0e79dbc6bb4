//! Detection: the first group whose buildpacks recognise the app.
//!
//! Invariant: a buildpack's `bin/detect` runs at most once in a build, however many groups name it.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use super::board::Board;
use super::catalog::{Author, Installed};
use super::expand::expand;
use super::resolve::{Candidate, Resolved, resolve, stranded};
use super::variables::{Purpose, variables};
use super::{Build, Progress, nearby, program};
use crate::agent::{Code, Failed, Phase, Stream};
use crate::process::{Strays, end_strays, execute, exit_code};
use crate::spec::{Api, BuildPlan, Element, Kind, Section, read_toml_or_default, takes_part};

/// What detection settled.
#[derive(Debug)]
pub(super) struct Detected {
    /// Extensions first, then buildpacks.
    pub(super) group: Vec<Installed>,
    pub(super) plan: Resolved,
}

/// What one buildpack or extension said.
#[derive(Debug)]
struct Verdict {
    kind: Kind,
    answer: Answer,
    output: Vec<String>,
}

#[derive(Debug)]
enum Answer {
    Pass(Vec<Section>),
    /// It is made for another execution environment: its group goes on without it.
    Skip,
    Fail,
    Error(Fault),
}

/// Why a detection failed with an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Fault {
    reason: String,
    hint: Option<String>,
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self { reason, hint: None }
    }
}

/// The most lines of a detection that are kept to be shown if everything fails.
const MAX_OUTPUT_LINES: usize = 200;
/// The most detections at a time: each may be a program that fills the memory.
const MAX_THREADS: usize = 8;

/// Finds the group that builds the app.
pub(super) fn detect(build: &Build<'_>, progress: &mut dyn Progress) -> Result<Detected, Failed> {
    let groups = expand(&build.catalog)?;
    let named = groups.iter().flatten().filter_map(|element| build.catalog.find(element).ok());
    let board = Board::new(named);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let mut reasons = Vec::new();
    let found = thread::scope(|scope| {
        for _ in 0..threads.clamp(2, MAX_THREADS).min(board.len()) {
            scope.spawn(|| board.work(|place, installed| ask(build, installed, place)));
        }
        let found = choose(build, &groups, &board, &mut reasons);
        board.close();
        found
    });
    end_strays();
    let found = found?;
    if let (Some(found), Author::User | Author::Other) = (&found, build.catalog.author) {
        let packs = found.group.iter().filter(|own| own.kind == Kind::Buildpack);
        let keys = packs.map(Installed::key).collect::<Vec<_>>().join(", ");
        progress.line(Stream::Stdout, &format!("Building with {keys}"));
    }
    found.ok_or_else(|| nothing(build, &board.into_answers(), &reasons, progress))
}

/// The first group that passes and whose plan resolves; `reasons` become why the plans of others
/// did not.
fn choose(
    build: &Build<'_>,
    groups: &[Vec<Element>],
    board: &Board<'_, Verdict>,
    reasons: &mut Vec<String>,
) -> Result<Option<Detected>, Failed> {
    for elements in groups {
        let mut candidates = Vec::new();
        // What goes with any group makes none.
        let (mut passes, mut takes) = (true, false);
        for element in elements {
            let installed = build.catalog.find(element)?;
            board.look(&installed.key(), |verdict| match &verdict.answer {
                Answer::Pass(options) => {
                    takes |= element.kind == Kind::Buildpack && !element.beside;
                    let (buildpack, optional) = (installed.clone(), element.optional);
                    candidates.push(Candidate { buildpack, options: options.clone(), optional });
                }
                Answer::Skip => {}
                Answer::Fail | Answer::Error(_) => passes &= element.optional,
            });
        }
        let builds = |own: &Installed| own.kind == Kind::Buildpack;
        if !passes || !takes {
            continue;
        }
        if let Some((group, plan)) = resolve(&candidates)
            && group.iter().any(builds)
        {
            return Ok(Some(Detected { group, plan }));
        }
        reasons.extend(stranded(&candidates, Installed::key));
    }
    Ok(None)
}

/// All groups failed: shows what each buildpack said.
fn nothing(
    build: &Build<'_>,
    verdicts: &BTreeMap<String, Verdict>,
    reasons: &[String],
    progress: &mut dyn Progress,
) -> Failed {
    let mut errors: Vec<Fault> = Vec::new();
    for (key, verdict) in verdicts {
        // An extension that passes means nothing by itself.
        if verdict.kind == Kind::Extension && !matches!(verdict.answer, Answer::Error(_)) {
            continue;
        }
        let answer = match &verdict.answer {
            Answer::Pass(_) => "passed, but its group did not",
            Answer::Skip => "is not made for production",
            Answer::Fail => "does not recognise this app",
            Answer::Error(fault) => {
                // Several buildpacks may stumble over one file.
                if !errors.contains(fault) {
                    errors.push(fault.clone());
                }
                "failed"
            }
        };
        progress.line(Stream::Stdout, &format!("{key}: {answer}"));
        for line in &verdict.output {
            progress.line(Stream::Stdout, &format!("    {line}"));
        }
    }
    for reason in reasons {
        progress.line(Stream::Stdout, reason);
    }
    let catalog = &build.catalog;
    let by_user = catalog.author == Author::User;
    if let (true, true, Some(first)) = (errors.is_empty(), by_user, reasons.first()) {
        let reason = format!("the buildpacks that were chosen do not go together: {first}");
        return Failed::new(Code::NothingDetected, Phase::Detect, reason).hint(
            "give --buildpack several times, in order: who provides goes before who requires",
        );
    }
    if errors.is_empty() && by_user {
        let chosen = catalog.order.order.iter().flat_map(|group| &group.group);
        let asked = chosen.filter_map(|element| Some(catalog.find(element).ok()?.key()));
        let asked = asked.collect::<Vec<_>>().join(", ");
        let reason = format!("the buildpacks that were chosen do not take this app: {asked}");
        return Failed::new(Code::NothingDetected, Phase::Detect, reason)
            .hint("the log says what each of them answered; deploy without --buildpack to let paas choose");
    }
    if errors.is_empty() && catalog.author == Author::Other {
        let reason = "no buildpack of the builder recognises this app";
        return Failed::new(Code::NothingDetected, Phase::Detect, reason).hint(
            "the log says what each of them answered; deploy without --builder to let paas choose",
        );
    }
    if errors.is_empty() {
        let reason = "no buildpack recognises this app: none of package.json, deno.json, requirements.txt, \
                      pyproject.toml, Pipfile, go.mod, Cargo.toml, Gemfile, composer.json, pom.xml, build.gradle, \
                      index.html, Dockerfile or Procfile stands at the top of the folder";
        return Failed::new(Code::NothingDetected, Phase::Detect, reason)
            .hint(nearby::hint(&build.roots.workspace));
    }
    let reasons: Vec<&str> = errors.iter().map(|fault| fault.reason.as_str()).collect();
    let hint = errors.iter().find_map(|fault| fault.hint.clone());
    let failed = Failed::new(Code::DetectErrors, Phase::Detect, reasons.join("\n"));
    Failed { hint, ..failed }
}

fn ask(build: &Build<'_>, installed: &Installed, place: usize) -> Verdict {
    let mut output = Vec::new();
    let answer = run_detect(build, installed, place, &mut output).unwrap_or_else(Answer::Error);
    Verdict { kind: installed.kind, answer, output }
}

/// Runs `bin/detect`; the error is a sentence for people.
fn run_detect(
    build: &Build<'_>,
    installed: &Installed,
    place: usize,
    output: &mut Vec<String>,
) -> Result<Answer, Fault> {
    let own = &installed.descriptor;
    if !own.fits(&build.target) {
        let reason = format!("{} is not made for {}", installed.key(), describe(build));
        let hint = "its [[targets]] or [[stacks]] in buildpack.toml say what it is made for; \
                    use a version that names no distribution";
        return Err(Fault { reason, hint: Some(hint.to_owned()) });
    }
    if own.api >= Api::V0_12 && !takes_part(&own.buildpack.exec_env) {
        return Ok(Answer::Skip);
    }
    let program = installed.dir.join("bin/detect");
    if installed.kind == Kind::Extension && !program.exists() {
        return offered(installed, &installed.dir.join("detect/plan.toml"));
    }
    let key = installed.key();
    let text = |error: std::io::Error| format!("{key}: bin/detect could not be run: {error}");
    // Two versions of one buildpack may be asked at once.
    let plan = build.scratch(&format!("{place}.detect.toml")).map_err(text)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(&plan).map_err(text)?;
    let mut command = Command::new(program);
    variables(build, installed, Purpose::Detect { plan: &plan })
        .map_err(text)?
        .apply_to(&mut command);
    command.arg(&build.roots.platform).arg(&plan).current_dir(&build.roots.workspace);
    let status = execute(&mut command, Strays::Spare, &mut |_, line| {
        if output.len() < MAX_OUTPUT_LINES {
            output.push(line.to_owned());
        }
    });
    let refused = |error: std::io::Error| {
        let (because, hint) = program::refused(&installed.dir, "detect", &error);
        Fault { reason: format!("{key}: bin/detect could not be run: {because}"), hint }
    };
    match exit_code(status.map_err(refused)?) {
        0 => {}
        100 => return Ok(Answer::Fail),
        code => return Err(explained(&installed.key(), output, code)),
    }
    offered(installed, &plan)
}

/// The choices that a build plan offers; without one there is a choice without conditions.
fn offered(installed: &Installed, plan: &Path) -> Result<Answer, Fault> {
    let key = installed.key();
    let plan: BuildPlan = read_toml_or_default(plan).map_err(|error| format!("{key}: {error}"))?;
    let options = plan.into_options().into_iter().map(liberal).collect::<Option<Vec<_>>>();
    let twice = || format!("{key}: a required dependency has `version` and `metadata.version`");
    let options = options.ok_or_else(twice)?;
    if installed.kind == Kind::Extension && options.iter().any(|it| !it.requires.is_empty()) {
        return Err(format!("{key}: an extension may provide, and not require").into());
    }
    Ok(Answer::Pass(options))
}

/// What a failed detection says: the lines it marked as errors, else its exit code.
fn explained(key: &str, output: &[String], code: i32) -> Fault {
    let marked = output.iter().filter_map(|line| line.trim_start().strip_prefix("! "));
    let (hints, reasons): (Vec<&str>, Vec<&str>) =
        marked.map(str::trim).partition(|line| line.starts_with("hint: "));
    if reasons.is_empty() {
        return format!("{key}: bin/detect ended with exit code {code}").into();
    }
    let hint = hints.first().and_then(|hint| hint.strip_prefix("hint: ")).map(str::to_owned);
    Fault { reason: reasons.join("\n"), hint }
}

fn liberal(section: Section) -> Option<Section> {
    let requires = section.requires.into_iter().map(crate::spec::Require::liberal);
    Some(Section { provides: section.provides, requires: requires.collect::<Option<_>>()? })
}

fn describe(build: &Build<'_>) -> String {
    let target = &build.target;
    format!("{}/{} {} {}", target.os, target.arch, target.distro_name, target.distro_version)
}
