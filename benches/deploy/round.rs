//! One app that is changed and deployed again and again, and what of the time went where.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::Value;

use crate::{figures::Figures, path, server::Server, sources};

/// An example under a name of its own.
pub(crate) struct App {
    name: String,
    source: tempfile::TempDir,
    /// The file with the text that it answers, and that text as it stands.
    file: PathBuf,
    text: String,
    before: String,
    rounds: usize,
}

impl App {
    pub(crate) fn new(example: &str) -> Self {
        let source = sources::example(example);
        let text = format!("Hello from {example}!");
        let file = ["server.js", "app.js", "app.py", "main.go", "src/main.rs", "public/index.html"]
            .map(|name| source.path().join(name))
            .into_iter()
            .find(|file| fs::read_to_string(file).is_ok_and(|code| code.contains(&text)))
            .unwrap_or_else(|| panic!("{example} does not say {text}"));
        let name = format!("bench-{example}");
        Self { name, source, file, before: text.clone(), text, rounds: 0 }
    }

    /// Changes the text, deploys it and waits until it answers.
    pub(crate) fn round(&mut self, server: &Server, figures: &mut Figures) {
        self.edit();
        server.api("POST", "/v1/apps", format!(r#"{{"name":"{}"}}"#, self.name).as_bytes());
        let (began, started) = (Timestamp::now(), Instant::now());
        let mut command = server.command(&["deploy", path(self.source.path()), "-a", &self.name]);
        let deploy = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        self.until_says(server, &self.text);
        let (answered, ended) = (Timestamp::now(), started.elapsed());
        let output = deploy.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let build = self.last_build(server);
        let at = |name: &str| build[name].as_str().unwrap().parse::<Timestamp>().unwrap();
        let (queued, taken, finished) = (at("queued_at"), at("started_at"), at("finished_at"));
        figures.add("upload, with the command", span(began, queued));
        figures.add("queue", span(queued, taken));
        for (stage, took) in stages(&said) {
            figures.add(&stage, took);
        }
        figures.add("rollout to the first 200", span(finished, answered));
        figures.add("ALL, to the new text", ended);
        figures.add("until the command returns", started.elapsed());
    }

    /// Deploys what is there.
    pub(crate) fn deploy(&self, server: &Server) {
        server.paas(&["deploy", path(self.source.path()), "-a", &self.name]).ok();
    }

    /// Goes back to the text before this one.
    pub(crate) fn rollback(&self, server: &Server) {
        server.paas(&["rollback", "-a", &self.name]).ok();
        self.until_says(server, &self.before);
    }

    /// The image of the last build, and its bytes beyond the base image.
    pub(crate) fn image(&self, server: &Server) -> (String, u64) {
        let build = self.last_build(server);
        let image = build["image"].as_str().unwrap().to_owned();
        (image, build["image_bytes"].as_u64().unwrap())
    }

    fn last_build(&self, server: &Server) -> Value {
        let all = server.api("GET", &format!("/v1/apps/{}/builds", self.name), b"").json();
        let all = all.as_array().unwrap();
        all.iter().max_by_key(|build| build["number"].as_u64()).unwrap().clone()
    }

    fn edit(&mut self) {
        self.rounds += 1;
        let text = format!("Greeting {:03} of a bench!", self.rounds);
        let code = fs::read_to_string(&self.file).unwrap();
        fs::write(&self.file, code.replace(&self.text, &text)).unwrap();
        self.before = std::mem::replace(&mut self.text, text);
    }

    fn until_says(&self, server: &Server, text: &str) {
        let started = Instant::now();
        while started.elapsed() < Duration::from_mins(5) {
            let answer = server.try_get(&self.name, "/");
            if answer.is_ok_and(|answer| answer.status == 200 && answer.text().contains(text)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{text} never answered");
    }
}

fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// Reads the last line of the build's log: `Built in 612 ms: preparing 12 ms, …`.
fn stages(said: &str) -> Vec<(String, Duration)> {
    let account = said.lines().find_map(|line| line.split_once("Built in ")?.1.split_once(": "));
    let parts = account.map(|(_, parts)| parts).unwrap_or_default().split(", ");
    parts
        .filter_map(|part| {
            let (stage, millis) = part.trim().strip_suffix(" ms")?.rsplit_once(' ')?;
            Some((stage.to_owned(), Duration::from_millis(millis.parse().ok()?)))
        })
        .collect()
}
