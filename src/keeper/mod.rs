//! Who starts commands, and keeps what they leave until it is in the ledger? A process of its own, so that the scheduler may
//! crash or be replaced while jobs run.
//!
//! The keeper is the service's main process and the parent of every command; the scheduler is its child. Over a socket the
//! scheduler asks for a start, and the keeper starts, reads what is written, notes when it ends, and reaps; pieces of output
//! and ends are its to hold until the scheduler says that they are in the ledger. A scheduler that comes later is told first of
//! all that is held. The keeper has no runtime and no database, has never read `jobs.toml`, and decides nothing: whom to
//! signal, when to stop reading, when to reap is said by the scheduler.

mod capture;
mod client;
mod descriptor;
mod keeping;
mod leaf;
mod link;
mod process;
mod protocol;
mod scan;
mod service;
mod starters;
mod upgrade;
mod ward;

pub use capture::Capture;
pub use client::{Client, Kept, Switchboard, connect};
pub use keeping::keep_in_this_process;
pub use leaf::LEAF;
pub use process::{Remains, start_ticks};
pub use protocol::{Asked, Begun, End, News, PROTOCOL, Program, Start};
pub use service::keep;
pub use upgrade::{PROTOCOL_QUESTION, own_program};
