//! punctual, a periodic job scheduler daemon: the map of the house.
//!
//! Rooms stand on floors, and import only from floors below; `tests/architecture.rs` holds that up. From bottom to top:
//!
//! | floor | room | the question that it answers |
//! |---|---|---|
//! | 0 | [`schedule`] | when is it due? |
//! | 1 | [`job`] | what is a job? |
//! | 2 | [`run`] | what is a run, and what can become of it? |
//! | 3 | [`notice`] | what is worth telling a person? |
//! | 4 | [`jobfile`] | what does the text of jobs.toml mean? |
//! | 4 | [`report`] | what is said about punctual, in JSON? |
//! | 5 | [`plan`] | what is to be done now, and when must we look again? |
//! | 5 | [`import`] | what would this crontab be here, and this job for cron? |
//! | 5 | [`when`] | which time do people mean? |
//! | 6 | [`readiness`] | when can this descriptor be read? |
//! | 6 | [`family`] | which children are ours to wait for? |
//! | 6 | [`heritage`] | what does a process have from whoever started it? |
//! | 6 | [`files`] | what do the files say now? |
//! | 6 | [`settings`] | what was this daemon told? |
//! | 7 | [`secret`] | where does a password come from? |
//! | 7 | [`web`] | how is an address asked? the one HTTP client and its rules |
//! | 7 | [`clock`] | what time is it, and how do we wait for a time? |
//! | 7 | [`configuration`] | what do the file, the environment and the flags make together? |
//! | 8 | [`keeper`] | who starts commands, and keeps what they leave until it is in the ledger? |
//! | 8 | [`mail`] | how does a message leave? |
//! | 8 | [`store`] | all SQL of ours |
//! | 9 | [`inquiry`] | what do people ask of the file and the ledger, and what is the answer? |
//! | 9 | [`runner`] | how is one attempt carried to its end? |
//! | 9 | [`notify`] | how does a notice reach people, and in which words? |
//! | 10 | [`audit`] | does the ledger balance? |
//! | 9 | [`why`] | why did it run, or not, and will it? |
//! | 10 | [`control`] | how does a person talk to the running daemon? |
//! | 10 | [`demo`] | what would a believable week have left in the ledger? |
//! | 10 | [`rehearsal`] | what happens if this job runs here and now? |
//! | 11 | [`daemon`] | what does the running daemon consist of, and how does it start and stop? |
//! | 12 | [`cli`] | what did the person at the terminal ask for? |
//!
//! Everything up to [`plan`] is pure: no clock, no I/O, no async, no lock. It is told what time it is, and it is handed the
//! zones. That is what lets ten simulated years run in seconds.
//!
//! **Decide, commit, act.** An instant goes one way: the alarm of [`clock`] wakes the loop in `daemon::core`, which asks
//! [`plan::Planner`] what follows; [`store::Writer`] commits the decision; only then [`runner::Door`] gets the order; what
//! happens behind the door comes back to the loop as an event, and is decided on in the same way.

pub mod audit;
pub mod cli;
pub mod clock;
pub mod configuration;
pub mod control;
pub mod daemon;
pub mod demo;
pub mod family;
pub mod files;
pub mod heritage;
pub mod import;
pub mod inquiry;
pub mod job;
pub mod jobfile;
pub mod keeper;
pub mod mail;
pub mod notice;
pub mod notify;
pub mod plan;
pub mod readiness;
pub mod rehearsal;
pub mod report;
pub mod run;
pub mod runner;
pub mod schedule;
pub mod secret;
pub mod settings;
pub mod store;
pub mod web;
pub mod when;
pub mod why;
