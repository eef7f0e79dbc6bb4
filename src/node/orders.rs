//! What a control and the engine of a node tell each other, as JSON: one call that lasts as long as the link
//! does, in which a node says what it sees, and one call for each order, each program and each copy of files.
//!
//! What a node sees is always told whole, and numbered in the order in which it was looked at: an answer to
//! an order and a line of the long call may cross.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    feed::Lines,
    link::Body,
    steward::{Act, Acted, Parcel, Room, StewardError},
};
use crate::{
    engine::{Checked, EngineError, InstanceSpec, Signal, UsageSample, docker::ExecId},
    model::{
        AppName, ByteSize, ContainerId, EnvKey, ImageId, Instance, OpenSecrets, ProgramSignal,
        SecretValue, Terminal, TerminalSize, Timestamp, VolumeName,
    },
    telemetry::chain,
};

/// Where a node is watched.
pub(super) const WATCH: &str = "/engine";
/// Where it takes orders.
pub(super) const ORDER: &str = "/order";
/// Where it takes what an instance wrote; the answer is a line of JSON for each.
pub(super) const OUTPUT: &str = "/output";
/// Where it takes an image, as `docker save` writes it.
pub(super) const IMAGE: &str = "/image";
/// Which image that is.
pub(super) const IMAGE_ID: &str = "paas-image";

/// Where it begins a program that somebody talks to: a line says which, its input follows, and the answer is
/// what it says, in frames. The call lasts as long as the program, and whoever gives it up ends that.
pub(super) const PROGRAM: &str = "/program";
/// Where it gives files of an instance: the answer is a line that says whether it does, and a tar.
pub(super) const FILES: &str = "/files";
/// Where it takes files for an instance: a line says where they go, and a tar follows.
pub(super) const UNPACK: &str = "/unpack";

/// Where it sends what is in a volume: the answer is a line that says whether it does, with what that takes of the
/// disk, and a tar.
pub(super) const SEND: &str = "/volume/send";
/// Where it takes in what is to be in one: a line says which, and a tar follows.
pub(super) const RECEIVE: &str = "/volume/receive";

/// What a control wants of a node's engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wish {
    /// Whose containers and images it is about.
    pub(super) installation: String,
    /// Which engine the control has. Whoever has the same keeps his hands off it.
    pub(super) engine: String,
    /// The images that are needed there; those that are in use stay too. `None` until that is known.
    #[serde(default)]
    pub(super) images: Option<BTreeSet<ImageId>>,
}

/// What a node sees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sight {
    /// Grows with each look, from the beginning of the long call.
    pub(super) number: u64,
    /// Which engine it has.
    pub(super) engine: String,
    /// What its processors are called.
    pub(super) architecture: String,
    /// How much memory it has, in bytes.
    pub(super) memory: Option<ByteSize>,
    /// The containers of instances.
    pub(super) instances: Vec<Instance>,
    /// The images of the installation.
    pub(super) images: BTreeSet<ImageId>,
    /// Why nothing of this is known; then nothing can be started there.
    pub(super) fault: Option<String>,
}

/// Something to be done.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Start an instance.
    Start {
        /// Which.
        spec: Box<InstanceSpec>,
        /// Its secrets.
        secrets: InTheOpen,
    },
    /// Send it a signal.
    Signal(ContainerId, Signal),
    /// Remove its container.
    Remove(ContainerId),
    /// Run a program in it.
    Check {
        /// In which.
        id: ContainerId,
        /// Program and arguments.
        command: Vec<String>,
        /// What it has in its environment besides.
        secrets: InTheOpen,
        /// How long it may take.
        patience: Duration,
    },
    /// Tell the terminal of a program that somebody talks to another size.
    Resize(ExecId, TerminalSize),
    /// Send such a program a signal.
    Tell(ExecId, ProgramSignal),
    /// Say what it uses.
    Usage(ContainerId),
    /// Remove what an app leaves.
    Forget(AppName),
    /// Do something to a volume.
    Volume(AppName, VolumeName, Act),
}

/// What is to be sent of a volume.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outbound {
    pub(super) app: AppName,
    pub(super) volume: VolumeName,
    pub(super) parcel: Parcel,
}

/// What comes of a volume, and what becomes of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Inbound {
    pub(super) app: AppName,
    pub(super) volume: VolumeName,
    pub(super) room: Room,
}

/// The output of an instance.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OutputOf {
    pub(super) id: ContainerId,
    pub(super) since: Option<Timestamp>,
}

/// A program to be run inside an instance, by somebody who talks to it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Beside {
    /// In which.
    pub(super) id: ContainerId,
    /// Program and arguments.
    pub(super) command: Vec<String>,
    /// Its terminal; none for plain pipes.
    pub(super) terminal: Option<Terminal>,
    /// What it has in its environment besides.
    pub(super) secrets: InTheOpen,
}

/// A place in an instance: what is copied, or the folder that something is copied into.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) id: ContainerId,
    pub(super) path: String,
}

/// What came of an order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// It is done, and this is what is to be seen.
    Done(Sight),
    /// It is done, and changes nothing of what is to be seen.
    Heeded,
    /// An instance was started: which container it is, and what is to be seen.
    Started(ContainerId, Sight),
    /// How a program ended.
    Checked(Checked),
    /// What an instance uses.
    Usage(UsageSample),
    /// How something ended that was done to a volume.
    Acted(Acted),
    /// It was not done.
    Wrong(Wrong),
}

/// Why the engine of a node did not do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wrong {
    /// Its disk is full.
    DiskFull,
    /// Something else.
    Refused {
        /// The HTTP status of its engine; 0 where there was none.
        status: u16,
        /// Why.
        message: String,
    },
}

impl Wrong {
    pub(super) fn of(error: &EngineError) -> Self {
        match error {
            EngineError::DiskFull { .. } => Self::DiskFull,
            EngineError::Refused { status, message, .. } => {
                Self::Refused { status: *status, message: message.clone() }
            }
            EngineError::Unreachable { .. } | EngineError::Timeout { .. } => {
                Self::Refused { status: 0, message: chain(error) }
            }
        }
    }

    /// What went wrong with a volume.
    pub(super) fn of_volume(error: &StewardError) -> Self {
        match error {
            StewardError::Engine(error) => Self::of(error),
            error => Self::Refused { status: 0, message: chain(error) },
        }
    }

    /// The same as an error of an operation there.
    pub(super) fn about(self, operation: &'static str, subject: String) -> EngineError {
        match self {
            Self::DiskFull => EngineError::DiskFull { operation },
            Self::Refused { status, message } => {
                EngineError::Refused { operation, subject, status, message }
            }
        }
    }
}

/// What a request begins with, or that it `lacks` that.
pub(super) async fn said_first<T: DeserializeOwned>(
    request: &mut Lines<Body>,
    lacks: &str,
) -> Result<T, Wrong> {
    let unclear = |message| Wrong::Refused { status: 0, message };
    let said = request.next::<T>().await.map_err(|error| unclear(chain(&error)))?;
    said.ok_or_else(|| unclear(lacks.to_owned()))
}

/// Secrets as they go over the link, which nobody but its two ends can read.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct InTheOpen(BTreeMap<EnvKey, String>);

impl std::fmt::Debug for InTheOpen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InTheOpen({})", self.0.len())
    }
}

impl InTheOpen {
    pub(super) fn of(secrets: &OpenSecrets) -> Self {
        let open =
            |(name, value): (&EnvKey, &SecretValue)| (name.clone(), value.expose().to_owned());
        Self(secrets.iter().map(open).collect())
    }

    pub(super) fn into_secrets(self) -> OpenSecrets {
        self.0.into_iter().map(|(name, value)| (name, SecretValue::new(value))).collect()
    }
}
