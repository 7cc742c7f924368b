//! How does a person talk to the running daemon? By HTTP with JSON over a Unix socket: what is asked is answered from the ledger
//! and the jobs in force, and what is wished goes to the loop, and comes back granted or denied. It knows no planner.
//!
//! Who asks is known by the kernel. All is bounded: connections, requests in size and time, and how long an answer may wait to
//! be taken; a client that stalls makes room for the next one.

mod access;
mod asking;
mod bodies;
mod client;
mod connections;
mod desk;
mod file_state;
mod output;
mod parameters;
mod place;
mod problem;
mod routes;
mod server;
mod socket;
mod stall;
mod tidings;
mod wish;
mod wishing;

/// All addresses, what they take and what they answer, in the words of `OpenAPI` 3.1.
const DESCRIPTION: &str = include_str!("openapi.json");

pub use access::group_number;
pub use client::{Client, ClientError, Output, OutputFormat};
pub use file_state::FileState;
pub use place::{Place, usual};
pub use problem::{Code, Problem};
pub use server::{Server, Setup};
pub use wish::{
    Ask, Caller, Denial, Denied, Granted, JobAfter, Launched, NoticeAct, Stopped, Which, WhichNotices, Wish,
};
