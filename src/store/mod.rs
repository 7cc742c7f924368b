//! All SQL of ours. One task writes, in groups; readers have connections of their own that cannot write.

mod backup;
mod batch;
mod books;
mod bulk;
mod follow;
mod memory;
mod open;
mod output;
mod read;
mod restore;
mod retention;
mod statements;
mod stats;
mod steps;
mod writer;

pub use backup::{BackupError, back_up, backup_name, remove_old_backups};
pub use books::{Account, Books, Doubt, Place, RunningRun};
pub use follow::{Changes, News, PartId};
pub use memory::Survivor;
pub use open::{Identity, OpenError, Reader, Store};
pub use output::{OutputLine, OutputPart, StepOutput};
pub use read::HistoryFilter;
pub use restore::{Contents, Owner, Restorable, RestoreError};
pub use retention::Pruned;
pub use stats::StatsFilter;
pub use writer::{Answer, Writer, WriterEnd};
