//! What do people ask of the file and the ledger, and what is the answer? The same for the terminal and for the socket: it is
//! asked in texts, as people write them, and answered in what `report` has words for. It shows nothing.

mod asked;
mod definition;
mod digest;
mod figures;
mod gather;
mod held;
mod holds;
mod message;
mod needle;
mod next;
mod no_answer;
mod notices;
mod pieces;
mod said;
mod status;
mod subject;
mod transcript;

pub use asked::{Asked, HistoryQuestion, known_jobs};
pub use definition::{calendars, definition, in_words, needs, queue_limit};
pub use figures::{run_report, stats};
pub use gather::{Count, EntryRecord, gather};
pub use held::{held_in, pause_report};
pub use holds::rules;
pub use message::{Telling, message_report};
pub use needle::excerpt;
pub use next::{Due, due, next_of, why_not, without_instants};
pub use no_answer::{NoAnswer, meant};
pub use notices::{LATELY, notices, notices_of_run, outstanding};
pub use pieces::{CutReport, Joined, PieceReport};
pub use status::{Listed, chosen_of, report_all, worst_first};
pub use subject::{chosen, find_job, find_run, no_channel, no_job};
pub use transcript::{Page, Passage, Transcript, attempt_title, cut_title, step_title};
