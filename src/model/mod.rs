//! The nouns: plain data with invariants, and the glossary of the house.
//!
//! Nothing here is async, does IO, reads a clock or knows a library of the outside. A value of
//! one of these types is valid: names and keys are parsed once, at the edge.
//!
//! - **App**: the only mutable intent. Everything else is a consequence of it.
//! - **Process**: one line of what an app runs (web, worker): command, port, health, limits.
//! - **Build**: source → image. It ends as an artifact or as a reason.
//! - **Commit**: what git calls the source of a build, where git brought it.
//! - **Pushed**: the image that a build was made of, where `docker push` brought it; a **blob** is a piece of it.
//! - **Release**: immutable: image, config, processes and why it was made. A rollback is a new one.
//! - **Pin**: the wish that one release stays, however many come after it.
//! - **Secret**: one version of a variable whose value is sealed; releases name versions.
//! - **Rollout**: the way from the release that serves to the one that shall.
//! - **Wave**: the slots that change at once on that way; a strategy is a list of waves.
//! - **Trial**: the time in which a new instance gets a share of the requests and is compared.
//! - **Incarnation**: a release together with the count of restarts asked for; what instances are of.
//! - **Earlier**: an incarnation whose place another took; one instance of it may **linger**, for its files.
//! - **Slot**: process and index; at most one instance owns a slot of an incarnation.
//! - **Run**: a program of its own, once, beside the formation; its place is called `run.3`.
//! - **Cron job**: a command of a release by the clock; a **tick** is a time at which it is to run.
//! - **Instance**: a container as it was observed. It is never stored.
//! - **Directory**: the instances that containers find by private names, wherever they run.
//! - **Domain**: a name of the user's own, or one path of it, and the app that answers there.
//! - **Certificate**: what the edge proves a domain with: wanted, ordered, issued, renewed.
//! - **SSH key**: what a user pushes with; **SSH host**: what the server proves itself with there.
//! - **Volume**: a disk of an app that outlives its instances and releases.
//! - **Zone**: a domain whose DNS this server answers for; **DNS record**: what a user adds to it.
//! - **Public names**: what the DNS servers of all machines answer from, as whoever leads tells it.
//! - **Opening**: a port of a machine that the containers on it may reach.
//! - **Snapshot**: what was in a volume at one moment, kept beside it.
//! - **Backup**: the same, encrypted and kept elsewhere; the **place** is where.
//! - **Node**: a machine that joined the one that **controls**, by a **join token**; its **state** is observed.
//!   A **link** joins two of them; the **roster** is what each node is told of all, whom it thereby has for **peers**.
//! - **Rebalance**: the wish that apps be spread anew over the machines; a **move** is what that changes of one.
//! - **Event**: what happened and why, for people. Control never reads it.

pub mod app;
mod backoff;
pub mod backup;
pub mod build;
mod buildpack;
pub mod certificate;
pub mod commit;
pub mod console;
pub mod cron;
mod directory;
pub mod domain;
mod earlier;
pub mod event;
pub mod fetching;
pub mod health;
pub mod http;
pub mod instance;
pub mod keeping;
pub mod manifest;
pub mod name;
pub mod node;
pub mod observation;
pub mod opening;
mod private;
pub mod process;
pub mod pushed;
pub mod rebalance;
mod reference;
pub mod registrar;
pub mod release;
pub mod rollout;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod size;
pub mod snapshot;
pub mod ssh;
pub mod takeover;
pub mod time;
pub mod timezone;
pub mod token;
pub mod trial;
pub mod volume;
pub mod zone;

pub use app::App;
pub use backoff::Backoff;
pub use backup::{
    Backup, BackupName, BackupNumber, BackupOutcome, BackupPlace, BackupState, BackupsKept,
    S3Place, Transfer,
};
pub use build::{Artifact, Build, BuildNumber, BuildStatus, Queueing};
pub use buildpack::{BuildpackChoice, InvalidBuildpack};
pub use certificate::{
    AcmeAccount, Certificate, CertificateHistory, CertificateSource, CertificateState, Issued,
    IssuerWord, Sealed, Vouched,
};
pub use commit::{Branch, Commit, CommitId, RefName};
pub use console::{ProgramSignal, Terminal, TerminalSize};
pub use cron::{CronCommand, CronEntry, CronJob, CronOutcome, CronState, CronTick, Overlap};
pub use directory::{Directory, Listed, Listing};
pub use domain::{Domain, DomainCheck, DomainName, PathPrefix, Pointing};
pub use earlier::Earlier;
pub use event::{Event, EventKind};
pub use health::{HealthCheck, Liveness, Statuses};
pub use http::{
    AssetPrefix, Cidr, HttpProtocol, HttpSettings, Maintenance, PasswordGate, RateLimit,
};
pub use instance::{ContainerId, Exit, Instance, InstanceState, Slot};
pub use keeping::{Kept, Pin};
pub use manifest::Manifest;
pub use name::{
    Actor, AppName, CronName, EnvKey, ImageId, InvalidName, MountPath, Name, ProcessName,
    SourceDigest,
};
pub use node::{
    ControlLabels, Enrolled, InvalidWord, JoinToken, JoinWord, LabelKey, LabelValue, Labels, Node,
    NodeKey, NodeName, NodeState, NodeStates, Roster, TokenLife,
};
pub use observation::{Health, Observation, Observed, Pending};
pub use private::PrivateSettings;
pub use process::{Privileges, Process};
pub use pushed::{BlobDigest, Pushed, Tag};
pub use rebalance::{Imbalance, Move, Rebalance};
pub use reference::{ImageReference, InvalidReference};
pub use registrar::{Advice, Reachable, Setting};
pub use release::{Cause, Config, Release, ReleaseVersion};
pub use rollout::{Incarnation, Phase, PostDeploy, Rollout, RolloutNumber, Side};
pub use run::{Run, RunConsole, RunNumber, RunStatus};
pub use schedule::Schedule;
pub use secret::{OpenSecrets, Secret, SecretValue, SecretVersion, Secrets};
pub use size::ByteSize;
pub use snapshot::{RestoreSource, Snapshot, SnapshotNumber};
pub use ssh::{KeyFingerprint, KeyName, SshHost, SshKey};
pub use takeover::{Strategy, Takeover, Wave};
pub use time::Timestamp;
pub use timezone::TimeZone;
pub use token::{Role, Token, TokenId};
pub use trial::{Sample, Share, Tally, Trial};
pub use volume::{Volume, VolumeName};
pub use zone::{DnsData, DnsRecord, InvalidRecord, PublicNames, RecordName, Zone};
