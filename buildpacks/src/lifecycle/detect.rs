//! Detection: the first group whose buildpacks recognise the app.
//!
//! Invariant: a buildpack's `bin/detect` runs at most once in a build, however many groups name it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

use super::catalog::Installed;
use super::expand::expand;
use super::resolve::{Candidate, Resolved, resolve};
use super::variables::{Purpose, variables};
use super::{Build, Progress};
use crate::agent::{Code, Failed, Phase, Stream};
use crate::process::{execute, exit_code};
use crate::spec::{BuildPlan, Section, read_toml_or_default};

/// What detection settled.
#[derive(Debug)]
pub(super) struct Detected {
    pub(super) group: Vec<Installed>,
    pub(super) plan: Resolved,
}

/// What one buildpack said.
#[derive(Debug)]
struct Verdict {
    answer: Answer,
    output: Vec<String>,
}

#[derive(Debug)]
enum Answer {
    Pass(Vec<Section>),
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

/// Finds the group that builds the app.
pub(super) fn detect(build: &Build<'_>, progress: &mut dyn Progress) -> Result<Detected, Failed> {
    let mut verdicts: BTreeMap<String, Verdict> = BTreeMap::new();
    for elements in expand(&build.catalog)? {
        let mut candidates = Vec::new();
        let mut passes = true;
        for element in &elements {
            let installed = build.catalog.find(element)?;
            let verdict = verdicts.entry(installed.key()).or_insert_with(|| ask(build, installed));
            match &verdict.answer {
                Answer::Pass(options) => candidates.push(Candidate {
                    buildpack: installed.clone(),
                    options: options.clone(),
                    optional: element.optional,
                }),
                Answer::Fail | Answer::Error(_) => passes &= element.optional,
            }
        }
        if !passes || candidates.is_empty() {
            continue;
        }
        if let Some((group, plan)) = resolve(&candidates) {
            return Ok(Detected { group, plan });
        }
    }
    Err(nothing(&verdicts, progress))
}

/// All groups failed: shows what each buildpack said.
fn nothing(verdicts: &BTreeMap<String, Verdict>, progress: &mut dyn Progress) -> Failed {
    let mut errors: Vec<Fault> = Vec::new();
    for (key, verdict) in verdicts {
        let answer = match &verdict.answer {
            Answer::Pass(_) => "passed, but its group did not",
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
    if errors.is_empty() {
        let reason = "no buildpack recognises this app: none of package.json, requirements.txt, \
                      pyproject.toml, go.mod, index.html or Procfile stands at the top of the folder";
        return Failed::new(Code::NothingDetected, Phase::Detect, reason).hint(
            "deploy the folder that holds the app, or say how to start it: echo 'web: ./run' > Procfile",
        );
    }
    let reasons: Vec<&str> = errors.iter().map(|fault| fault.reason.as_str()).collect();
    let hint = errors.iter().find_map(|fault| fault.hint.clone());
    let failed = Failed::new(Code::DetectErrors, Phase::Detect, reasons.join("\n"));
    Failed { hint, ..failed }
}

fn ask(build: &Build<'_>, installed: &Installed) -> Verdict {
    let mut output = Vec::new();
    let answer = run_detect(build, installed, &mut output).unwrap_or_else(Answer::Error);
    Verdict { answer, output }
}

/// Runs `bin/detect`; the error is a sentence for people.
fn run_detect(
    build: &Build<'_>,
    installed: &Installed,
    output: &mut Vec<String>,
) -> Result<Answer, Fault> {
    let own = &installed.descriptor;
    if !own.fits(&build.job.target) {
        return Err(format!("{} is not made for {}", installed.key(), describe(build)).into());
    }
    if !own.buildpack.exec_env.is_empty()
        && !own.buildpack.exec_env.iter().any(|env| env == "production" || env == "*")
    {
        return Ok(Answer::Fail);
    }
    let key = installed.key();
    let text = |error: std::io::Error| format!("{key}: bin/detect could not be run: {error}");
    let plan =
        build.scratch(&format!("{}.detect.toml", own.buildpack.id.escaped())).map_err(text)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(&plan).map_err(text)?;
    let mut command = Command::new(installed.dir.join("bin/detect"));
    variables(build, installed, Purpose::Detect { plan: &plan })
        .map_err(text)?
        .apply_to(&mut command);
    command.arg(&build.roots.platform).arg(&plan).current_dir(&build.roots.workspace);
    let status = execute(&mut command, &mut |_, line| {
        if output.len() < MAX_OUTPUT_LINES {
            output.push(line.to_owned());
        }
    });
    match exit_code(status.map_err(text)?) {
        0 => {}
        100 => return Ok(Answer::Fail),
        code => return Err(explained(&installed.key(), output, code)),
    }
    let plan: BuildPlan = read_toml_or_default(&plan).map_err(|error| format!("{key}: {error}"))?;
    let options = plan.into_options().into_iter().map(liberal).collect::<Option<Vec<_>>>();
    let twice = || format!("{key}: a required dependency has `version` and `metadata.version`");
    Ok(Answer::Pass(options.ok_or_else(twice)?))
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
    let target = &build.job.target;
    format!("{}/{} {} {}", target.os, target.arch, target.distro_name, target.distro_version)
}
