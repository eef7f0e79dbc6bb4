//! What a daemon sees of its own machine: its addresses, whether an instance answers, where it
//! listens, who has a port, and what of the machine containers reach; where instances find their secrets in
//! its memory; its volumes, where their bytes are; the programs of instances that somebody talks to; the ways from its
//! containers to instances of other machines; who is started again while nobody leads, and what is ended that was begun
//! while this machine led; and the link to the daemons of those.
//!
//! Nothing here decides what an answer means for an app, or who may talk to it.

pub mod addresses;
pub mod carrier;
mod charge;
pub mod consoles;
mod door;
pub mod edges;
mod entrance;
mod feed;
mod files;
pub mod fleet;
mod follower;
mod frames;
mod gatekeeper;
mod gateway;
mod handout;
mod hands;
mod holder;
mod homes;
mod hub;
mod leading;
pub mod link;
pub mod listening;
mod memory;
mod orders;
mod parcels;
pub mod passage;
mod past;
pub mod peers;
pub mod ports;
pub mod probe;
mod programs;
mod remnants;
mod revival;
mod rooms;
pub mod runs;
mod seek;
mod steward;
pub mod wall;
pub mod ways;
mod worker;

pub use carrier::Carrier;
pub use charge::{CHARGE, Charged};
pub use consoles::{Consoles, Program, Talk};
pub use edges::Edges;
pub use entrance::{Entrance, Entrances, Within};
pub use fleet::{Fleet, Nodes};
pub use follower::{Follower, Found, Outlets};
pub use gatekeeper::Gatekeeper;
pub use gateway::{Gateway, Here};
pub use handout::{Handout, HandoutError, Reader};
pub use holder::{Holder, Transports, holders};
pub use homes::{Homes, HomesError, Stocked};
pub use hub::{Hub, Known, RENEW, Renewal};
pub use leading::{Leader, Leading, Unled};
pub use listening::listening;
pub use memory::{Memory, Notes};
pub use passage::{Passage, Reach, Straight};
pub use past::Past;
pub use peers::Peers;
pub use probe::{ProbeFailure, ProbeTarget, probe};
pub use programs::Programs;
pub use rooms::Rooms;
pub use seek::Seek;
pub use steward::{
    Act, Acted, CopyTo, Lading, Of, Parcel, PieceWriter, Pieces, Room, Steward, StewardError,
    pieces,
};
pub use ways::{Place, Ways};
pub use worker::{Machine, Worker};
