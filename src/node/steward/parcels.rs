//! What is in a volume, or a volume with all that belongs to it, on its way as a tar.

use std::io::{BufWriter, Write};

use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, task::spawn_blocking};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{Of, Pieces, Steward, StewardError, pieces};
use crate::{
    backup::{pack, unpack},
    engine::Engine,
    model::{ByteSize, Timestamp},
    telemetry::chain,
    volumes::measure,
};

/// What is sent of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parcel {
    /// The copy that a backup of that moment is sent from.
    Outgoing(Timestamp),
    /// All of it, snapshots included. Nobody has it.
    Whole,
}

/// What a parcel becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Room {
    /// What is about to take the place of what is in the volume, unless that is there.
    Next,
    /// The volume, with all that belongs to it.
    Whole,
}

/// A parcel on its way.
pub struct Lading {
    /// What it takes of the disk, if that is known.
    pub expected: Option<ByteSize>,
    /// The tar.
    pub pieces: Pieces,
}

impl std::fmt::Debug for Lading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lading").field("expected", &self.expected).finish_non_exhaustive()
    }
}

impl<E: Engine> Steward<E> {
    /// Sends a parcel. Nothing else is done to the volume until it was read to its end, or dropped.
    pub async fn give(&self, (app, name): Of<'_>, parcel: Parcel) -> Result<Lading, StewardError> {
        let turn = self.turn((app, name)).await;
        let folder = match parcel {
            Parcel::Outgoing(at) => self.folders.outgoing(app, name, at),
            Parcel::Whole => {
                // Also one that nobody has used yet has a folder where it is next.
                self.open((app, name))?;
                self.folders.discard_outgoing(app, name)?;
                self.folders.of(app, name)
            }
        };
        if !folder.is_dir() {
            return Err(StewardError::Nothing);
        }
        let measured = folder.clone();
        let expected = spawn_blocking(move || measure(&measured)).await?;
        let (writer, pieces) = pieces();
        spawn_blocking(move || {
            let _turn = turn;
            let mut out = BufWriter::with_capacity(BUFFER, writer);
            let packed = pack(&folder, &mut out).map_err(|error| chain(&error));
            match packed.and_then(|()| out.flush().map_err(|error| error.to_string())) {
                Ok(()) => out.into_parts().0.end(),
                Err(why) => out.into_parts().0.break_off(why),
            }
        });
        Ok(Lading { expected, pieces })
    }

    /// Takes a parcel in. Until it is whole and on the disk nothing changes.
    pub async fn take(
        &self,
        (app, name): Of<'_>,
        room: Room,
        pieces: Pieces,
    ) -> Result<(), StewardError> {
        let turn = self.turn((app, name)).await;
        let (folders, reserve) = (self.folders.clone(), self.reserve);
        let (app, name, runtime) = (app.clone(), name.clone(), Handle::current());
        let taken = spawn_blocking(move || {
            let _turn = turn;
            let tar = SyncIoBridge::new_with_handle(StreamReader::new(pieces), runtime);
            let fill = |folder: &std::path::Path| -> Result<(), StewardError> {
                Ok(unpack(tar, folder, reserve)?)
            };
            match room {
                Room::Next => folders.bring(&app, &name, fill),
                Room::Whole => folders.arrive(&app, &name, fill),
            }
        });
        let taken = taken.await?;
        self.sweep();
        taken
    }
}

/// Of what is packed, in bytes.
const BUFFER: usize = 64 << 10;
