//! All SQL of ours. One task writes, in groups; readers have connections of their own that cannot write.

mod ask;
mod backup;
mod batch;
mod books;
mod bulk;
mod follow;
mod index;
mod memory;
mod open;
mod output;
mod patience;
mod read;
mod restore;
mod retention;
mod search;
mod select;
mod statements;
mod stats;
mod steps;
mod writer;

pub use ask::{HistoryFilter, Order, Tally};
pub use backup::{BackupError, back_up, backup_name, remove_old_backups};
pub use books::{Account, Books, Doubt, Place, RunningRun};
pub use follow::{Changes, News, PartId};
pub use index::Indexed;
pub use memory::Survivor;
pub use open::{Identity, OpenError, Reader, Store};
pub use output::{OutputLine, OutputPart, StepOutput};
pub use restore::{Contents, Owner, Restorable, RestoreError};
pub use retention::Pruned;
pub use search::{Candidates, FoundLine};
pub use select::{Field, SelectError};
pub use stats::StatsFilter;
pub use writer::{Answer, Writer, WriterEnd};
