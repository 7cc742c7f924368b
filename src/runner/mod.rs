//! How is one attempt carried to its end?
//!
//! Orders go in and events come out, through the [`Door`]; what stands behind it starts processes on threads of its own, reads
//! what they write, ends them with all they left, and reaps them. It knows neither planner nor ledger.

mod answer;
mod attempt;
mod capture;
mod carry;
mod census;
mod cgroup;
mod course;
mod door;
mod errand;
mod facts;
mod heritage;
mod life;
mod limits;
mod native;
mod part;
mod preflight;
mod process;
mod program;
mod scan;
mod shim;
mod spawner;
mod supervisor;
mod task;
mod tools;
mod tree;
mod trouble;
mod user;
mod work;

pub use cgroup::{Cgroups, LEAF, controllers_of};
pub use door::{Door, Event, Order, Surroundings};
pub use facts::{Facts, NoLedger, Told};
pub use heritage::drop_heritage;
pub use limits::Controllers;
pub use preflight::{Starter, goes_without, preflight};
pub use program::SHIM;
pub use shim::shim;
pub use supervisor::Runner;
pub use tree::{boot_id, end_survivors, stat};
pub use trouble::Trouble;
