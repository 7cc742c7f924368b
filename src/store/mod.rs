//! All SQL of ours. One task writes, in groups; readers have connections of their own that cannot write.

mod aside;
mod batch;
mod ground;
mod held;
mod memory;
mod open;
mod output;
mod read;
mod retention;
mod salvage;
mod statements;
mod trace;
mod trouble;
mod upkeep;
mod writer;

pub use held::whole_file;
pub use memory::Survivor;
pub use open::{Identity, OpenError, Reader, Store};
pub use output::{OutputLine, OutputPart, StepOutput};
pub use read::HistoryFilter;
pub use retention::Pruned;
pub use trouble::Trouble;
pub use writer::{Answer, Restate, Writer, WriterEnd};
