//! Was something written to the ledger? Asked once for all who follow a run.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::desk::Desk;

/// Output reaches the ledger within a second anyway.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// After so many looks the question is put on another connection: the ledger may be another file by then.
const LOOKS: u32 = 40;

/// Tells those who follow whenever something was written.
pub async fn tell(desk: Arc<Desk>) -> Infallible {
    loop {
        if desk.tidings.receiver_count() == 0 {
            desk.begun.notified().await;
        }
        // An error is met again by whoever looks for himself, and told to the client.
        if let Ok(mut changes) = desk.ledger.changes().await {
            for _ in 0..LOOKS {
                if changes.have_come().await.unwrap_or(true) {
                    desk.tidings.send_replace(());
                }
                if desk.tidings.receiver_count() == 0 {
                    break;
                }
                sleep(LOOK_EVERY).await;
            }
        } else {
            desk.tidings.send_replace(());
            sleep(LOOK_EVERY).await;
        }
    }
}
