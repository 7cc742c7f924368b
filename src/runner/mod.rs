//! How is one attempt carried to its end?
//!
//! Orders go in and events come out, through the [`Door`]. What stands behind it has the keeper start processes, watches them,
//! and ends them with all they left. It knows neither planner nor ledger.

mod answer;
mod attempt;
mod carry;
mod census;
mod cgroup;
mod course;
mod door;
mod errand;
mod estate;
mod facts;
mod left;
mod life;
mod limits;
mod native;
mod part;
mod preflight;
mod preparing;
mod program;
mod shim;
mod supervisor;
mod task;
mod tools;
mod tree;
mod trouble;
mod user;
mod work;

pub use cgroup::{Cgroups, controllers_of};
pub use door::{Door, Event, Order, Surroundings};
pub use estate::Estate;
pub use facts::{Facts, NoLedger, Told};
pub use limits::Controllers;
pub use preflight::{Starter, goes_without, preflight};
pub use program::SHIM;
pub use shim::shim;
pub use supervisor::{Ledgered, Runner, Takeover};
pub use tree::{boot_id, end_survivors, stat, survivors};
pub use trouble::Trouble;
