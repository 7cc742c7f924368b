//! All SQL of ours. One task writes, in groups; readers have connections of their own that cannot write.

mod batch;
mod books;
mod memory;
mod open;
mod output;
mod read;
mod retention;
mod statements;
mod writer;

pub use books::{Account, Books, Doubt, Place, RunningRun};
pub use memory::Survivor;
pub use open::{Identity, OpenError, Reader, Store};
pub use output::{OutputLine, OutputPart, StepOutput};
pub use read::HistoryFilter;
pub use retention::Pruned;
pub use writer::{Answer, Writer, WriterEnd};
