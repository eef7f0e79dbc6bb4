//! An app: the only mutable intent. Whatever runs, is built or routed follows from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Actor, AppName, Branch, BuildNumber, Config, Earlier, Incarnation, Maintenance, Pin, Process,
    ProcessName, Release, ReleaseVersion, RolloutNumber, SecretVersion, Secrets, Timestamp,
};

/// What a user wants of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// Its name, for ever.
    pub name: AppName,
    /// When it was made.
    pub created_at: Timestamp,
    /// Moves with every change of intent; status records compare-and-set it.
    pub generation: u64,
    /// Environment of the next release. The releases hold what was in force when they were made.
    pub config: Config,
    /// Secrets of the next release; no name is in `config` too.
    #[serde(default, skip_serializing_if = "Secrets::is_empty")]
    pub secrets: Secrets,
    /// How many instances of which process, where somebody has said so.
    pub formation: BTreeMap<ProcessName, u16>,
    /// What serves now; `None` before the first healthy release.
    pub current: Option<Incarnation>,
    /// What served before, the newest first, as far as it matters to anybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
    /// How often a restart was asked for.
    pub restarts: u32,
    /// The newest version of any secret.
    #[serde(default)]
    pub last_secret: SecretVersion,
    /// The newest build, release and rollout; numbers are given out here and never again.
    pub last_build: BuildNumber,
    /// See [`App::last_build`].
    pub last_release: ReleaseVersion,
    /// See [`App::last_build`].
    pub last_rollout: RolloutNumber,
    /// The rollout that is under way.
    pub rollout: Option<RolloutNumber>,
    /// Visitors are told this instead of being served.
    #[serde(default)]
    pub maintenance: Option<Maintenance>,
    /// The branch whose pushes are deployed; without it `main`, or `master` where there is only that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<Branch>,
    /// Releases that stay, however many come after them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pins: BTreeMap<ReleaseVersion, Pin>,
    /// Who does not want it destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected_by: Option<Actor>,
    /// Set once the app is to vanish; then control removes what it left and at last this record.
    pub destroyed_at: Option<Timestamp>,
    /// Until then only its instances are gone, and it can be brought back; `None` is not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<Timestamp>,
}

impl App {
    /// A new app that has nothing yet.
    pub fn new(name: AppName, created_at: Timestamp) -> Self {
        Self {
            name,
            created_at,
            generation: 1,
            config: Config::default(),
            secrets: Secrets::default(),
            formation: BTreeMap::new(),
            current: None,
            earlier: Vec::new(),
            restarts: 0,
            last_secret: SecretVersion::default(),
            last_build: BuildNumber::default(),
            last_release: ReleaseVersion::default(),
            last_rollout: RolloutNumber::default(),
            rollout: None,
            maintenance: None,
            branch: None,
            pins: BTreeMap::new(),
            protected_by: None,
            destroyed_at: None,
            kept_until: None,
        }
    }

    /// Until when it can be brought back, if it was destroyed and that time has not come.
    pub fn is_kept(&self, now: Timestamp) -> Option<Timestamp> {
        self.kept_until.filter(|until| self.destroyed_at.is_some() && now < *until)
    }

    /// How many instances of `process` there shall be under `release`: what the user said with
    /// `paas scale`, else what the release's manifest says, else one.
    pub fn scale_of(&self, process: &ProcessName, release: &Release) -> u16 {
        match (self.formation.get(process), release.processes.get(process)) {
            (_, None) => 0,
            _ if process.runs_once() => 0,
            // Two would write to the same disk.
            (Some(&count), Some(described)) if !described.volumes.is_empty() => count.min(1),
            (None, Some(described)) if !described.volumes.is_empty() => described.scale.min(1),
            (Some(&count), Some(_)) => count,
            (None, Some(described)) => described.scale,
        }
    }

    /// Where `paas config`, `paas secrets` and `paas scale` say something else than the manifest, whose processes and
    /// environment these are. Values are not shown.
    pub fn overrides(
        &self,
        processes: &BTreeMap<ProcessName, Process>,
        env: &Config,
    ) -> Vec<String> {
        let config = env.iter().filter_map(|(key, value)| {
            if self.secrets.contains_key(key) {
                return Some(format!("{key} is what `paas secrets set` says"));
            }
            let set = self.config.get(key)?;
            (set != value).then(|| format!("{key} is what `paas config set` says"))
        });
        let scale = processes.values().filter_map(|process| {
            let count = *self.formation.get(&process.name)?;
            (count != process.scale)
                .then(|| format!("{}={count} by `paas scale`, not {}", process.name, process.scale))
        });
        config.chain(scale).collect()
    }
}

/// The most instances that one process may be scaled to on one machine.
pub const MAX_SCALE: u16 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_from_the_manifest_is_told_and_never_a_value() {
        let web: ProcessName = "web".parse().unwrap();
        let process = Process::plain(web.clone(), Vec::new(), String::new());
        let processes = BTreeMap::from([(web.clone(), Process { scale: 2, ..process })]);
        let config = |pairs: &[(&str, &str)]| -> Config {
            pairs.iter().map(|(key, text)| (key.parse().unwrap(), (*text).to_owned())).collect()
        };
        let env = config(&[("SAME", "a"), ("OTHER", "b"), ("ONLY_HERE", "c")]);
        let mut app = App::new("shop".parse().unwrap(), Timestamp::default());
        assert!(app.overrides(&processes, &env).is_empty());
        app.config = config(&[("SAME", "a"), ("OTHER", "secret")]);
        app.formation.insert(web, 3);
        let told = app.overrides(&processes, &env);
        assert_eq!(told, ["OTHER is what `paas config set` says", "web=3 by `paas scale`, not 2"]);
        app.secrets.insert("SAME".parse().unwrap(), SecretVersion(1));
        assert_eq!(app.overrides(&processes, &env)[1], "SAME is what `paas secrets set` says");
    }
}
