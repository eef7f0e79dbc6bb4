//! `[deploy]`: how a release of the manifest takes over. What is absent is as without a manifest.

use std::{collections::BTreeMap, time::Duration};

use super::{DeploySettings, Manifest, ManifestError, ProcessName, Section};
use crate::model::{
    Queueing, Share, Takeover,
    keeping::MAX_KEEP,
    takeover::{Batch, Strategy},
};

/// `[deploy]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestDeploy {
    /// The longest wait for new instances to be ready.
    pub timeout: Option<Duration>,
    /// The longest wait for requests of old instances to end.
    pub drain: Option<Duration>,
    /// How processes change that do not say it themselves.
    pub strategy: Option<Strategy>,
    /// The size of every wave of `rolling`.
    pub batch: Option<Batch>,
    /// So many new instances may end and be replaced.
    pub max_fail: Option<u16>,
    /// How long new instances are watched while the old stand by.
    pub watch: Option<Duration>,
    /// What of the requests a canary gets.
    pub canary: Option<Share>,
    /// How long it is compared with what serves.
    pub canary_for: Option<Duration>,
    /// Run in a shell once for each release, before it takes over.
    pub release: Option<String>,
    /// The longest that it, or the one below, may take.
    pub release_timeout: Option<Duration>,
    /// Run in a shell once for each release, when it serves.
    pub post_deploy: Option<String>,
    /// What its build means to earlier ones that have not ended.
    pub queue: Option<Queueing>,
    /// How many of the newest releases stay.
    pub keep: Option<u16>,
}

impl ManifestDeploy {
    /// What runs once for each release, by the name of its process.
    pub fn commands(&self) -> impl Iterator<Item = (ProcessName, &str)> {
        let all = [
            (ProcessName::RELEASE, self.release.as_deref()),
            (ProcessName::POST_DEPLOY, self.post_deploy.as_deref()),
        ];
        all.into_iter().filter_map(|(name, command)| name.parse().ok().zip(command))
    }
}

/// Reads the section.
pub(super) fn deploy(mut section: Section<'_>) -> Result<ManifestDeploy, ManifestError> {
    let deploy = ManifestDeploy {
        timeout: section.duration("timeout")?,
        drain: section.duration("drain")?,
        strategy: section.parsed("strategy")?,
        batch: section.parsed_or_number("batch")?,
        max_fail: section.count("max_fail", MAX_FAIL)?,
        watch: section.duration("watch")?,
        canary: section.parsed("canary")?,
        canary_for: section.duration("canary_for")?,
        release: section.text("release")?,
        release_timeout: section.duration("release_timeout")?,
        post_deploy: section.text("post_deploy")?,
        queue: section.parsed("queue")?,
        keep: section.number("keep", 1, MAX_KEEP)?,
    };
    section.finish()?;
    Ok(deploy)
}

impl Manifest {
    /// How a release of it is switched to.
    pub fn deploy_settings(&self) -> DeploySettings {
        let default = DeploySettings::default();
        let Takeover {
            strategy, batch, max_fail, watch, canary, canary_for, release_timeout, ..
        } = *default.takeover;
        let own = |(name, process): (&_, &super::ManifestProcess)| {
            let strategy = process.strategy?;
            Some((ProcessName::clone(name), strategy))
        };
        // The old are to be gone before the new write to the same disk.
        let alone = self.suggested.iter().chain(&self.processes);
        let alone = alone.filter(|(_, process)| !process.volumes.is_empty());
        let alone = alone.map(|(name, _)| (name.clone(), Strategy::Recreate));
        DeploySettings {
            timeout: self.deploy.timeout.unwrap_or(default.timeout),
            drain: self.deploy.drain.unwrap_or(default.drain),
            takeover: Box::new(Takeover {
                strategy: self.deploy.strategy.unwrap_or(strategy),
                of: self.processes.iter().filter_map(own).chain(alone).collect::<BTreeMap<_, _>>(),
                batch: self.deploy.batch.or(batch),
                max_fail: self.deploy.max_fail.unwrap_or(max_fail),
                watch: self.deploy.watch.unwrap_or(watch),
                canary: self.deploy.canary.unwrap_or(canary),
                canary_for: self.deploy.canary_for.unwrap_or(canary_for),
                release_timeout: self.deploy.release_timeout.unwrap_or(release_timeout),
            }),
            env: self.env.clone(),
            cron: Box::new(self.cron.clone()),
            http: Box::new(self.http.clone()),
            private: Box::new(self.private.clone()),
            generate: Box::new(self.secrets.generate.clone()),
            files: self.files.clone(),
            keep: self.deploy.keep,
        }
    }
}

/// More failures than this are no bad luck.
const MAX_FAIL: u16 = 100;
