//! What is to be done now, and when must we look again?
//!
//! [`Planner`] is a state machine without a clock: each `handle_…` says what happened and gives one [`Decision`], the
//! records that change and the actions that follow. The caller commits the records, and only then acts. The rules are
//! values of their own; the planner routes between them.

mod account;
mod alerts;
mod balance;
mod by_hand;
mod calling;
mod change;
mod course;
mod decision;
mod edit;
mod ending;
mod follow;
mod forecast;
mod held;
mod memory;
mod overlap;
mod owed;
mod pausing;
mod planner;
mod queue;
mod readmit;
mod refusal;
mod rename;
mod restart;
mod restate;
mod retry;
mod set_back;
mod telling;
mod timers;
mod verdict;

pub use balance::{Balance, Balanced, Booked, Difference, DifferenceKind, Period, Pruned, Scope, StepBack};
pub use by_hand::Triggered;
pub use change::{Change, Changes};
pub use course::{Course, Move};
pub use decision::{Action, Attempted, Closing, Decision, Launch, OpenEntry, Record};
pub use edit::{OpenState, channel_edits, edits, pool_edits, smtp_edits, without_what_follows};
pub use follow::Progress;
pub use forecast::{Crowd, Forecast, JobForecast, Outlook, forecast};
pub use held::{Held, LeftOut, MOST_LEFT_OUT, Pause, Pauses, Whose, next_following};
pub use memory::{Ahead, AheadGap, Memory, RememberedDefinition, RememberedJob, RememberedRun, Tried};
pub use owed::Lapse;
pub use planner::{Drain, Planner};
pub use queue::Capacities;
pub use retry::pause;
pub use verdict::{verdict, verdict_of_work};
