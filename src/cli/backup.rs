//! `punctual backup`: copies the ledger to a file while everything goes on.

use super::args::{BackupArguments, Global};
use super::places::{ask, open_ledger};
use super::screen::Screen;
use super::{Answer, Done, Refusal};

pub fn run(global: &Global, verb: &BackupArguments, screen: &mut Screen) -> Answer {
    let to = &verb.to;
    let shown = to.display();
    if to.exists() {
        return Err(Refusal::new(Done::Failed, format!("{shown} is there already; name a file that is not")));
    }
    let name = to.to_str().ok_or_else(|| Refusal::new(Done::Misused, format!("{shown} is not UTF-8")))?;
    let copied = ask(async {
        let ledger = open_ledger(global).await?;
        ledger
            .copy_to(name)
            .await
            .map_err(|error| Refusal::new(Done::Failed, format!("the ledger cannot be copied to {shown}: {error}")))
    })?;
    if let Err(refusal) = copied {
        // A copy that broke off is no backup.
        let _ = std::fs::remove_file(to);
        return Err(refusal);
    }
    let size = std::fs::metadata(to).map_or(0, |file| file.len());
    let size = super::screen::bytes(i64::try_from(size).unwrap_or(i64::MAX));
    screen.line(format!("the ledger was copied to {shown} ({size})"));
    Ok(Done::Well)
}
