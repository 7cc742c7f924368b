//! What do people ask of the file and the ledger, and what is the answer? The same for the terminal and for the socket: it is
//! asked in texts, as people write them, and answered in what `report` has words for. It shows nothing.

mod no_answer;
mod status;
mod subject;

pub use no_answer::{NoAnswer, meant};
pub use status::{Listed, chosen_of, report_all, worst_first};
pub use subject::{chosen, find_job, find_run, no_job};
