//! How does a person talk to the running daemon? It knows no planner: what is wished goes to the loop, and comes back granted
//! or denied.

mod wish;

pub use wish::{Ask, Caller, Denial, Denied, Granted, JobAfter, Launched, Stopped, Which, Wish};
