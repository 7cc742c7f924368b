//! All SQL of ours. One task writes, in groups; readers have connections of their own that cannot write.

mod ask;
mod batch;
mod index;
mod memory;
mod open;
mod output;
mod patience;
mod read;
mod retention;
mod search;
mod select;
mod statements;
mod writer;

pub use ask::{HistoryFilter, Order, Tally};
pub use index::Indexed;
pub use memory::Survivor;
pub use open::{Identity, OpenError, Reader, Store};
pub use output::{OutputLine, OutputPart, StepOutput};
pub use retention::Pruned;
pub use search::{Candidates, FoundLine};
pub use select::{Field, SelectError};
pub use writer::{Answer, Writer, WriterEnd};
