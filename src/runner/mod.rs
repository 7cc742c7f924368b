//! How is one attempt carried to its end?
//!
//! Orders go in and events come out, through the [`Door`]; what stands behind it starts processes on threads of its own, reads
//! what they write, ends them with all they left, and reaps them. It knows neither planner nor ledger.

mod attempt;
mod capture;
mod door;
mod process;
mod program;
mod spawner;
mod supervisor;
mod tree;

pub use door::{Door, Event, Order, Surroundings};
pub use program::{Trouble, preflight};
pub use supervisor::Runner;
pub use tree::{boot_id, end_survivors};
