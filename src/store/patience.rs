//! For how long may the database think about a question?

use std::time::Duration;

use sqlx::SqliteConnection;

use super::open::primary_code;
use crate::clock;

/// Steps of SQLite's machine between two looks at the clock: some tens of microseconds.
const STEPS: i32 = 1000;
/// SQLite stands still while nobody takes its rows, which is not counted: that is a reader's time, not its own.
const LONGEST_STEPS: Duration = Duration::from_millis(100);
/// SQLITE_INTERRUPT
const INTERRUPTED: i32 = 9;

/// Ends what this connection is asked from now on after it has worked for so long.
pub async fn limit(connection: &mut SqliteConnection, within: Duration) -> Result<(), sqlx::Error> {
    let mut before = clock::instant();
    let mut worked = Duration::ZERO;
    let go_on = move || {
        let now = clock::instant();
        worked += now.duration_since(before).min(LONGEST_STEPS);
        before = now;
        worked < within
    };
    connection.lock_handle().await?.set_progress_handler(STEPS, go_on);
    Ok(())
}

/// The connection is asked without a limit again.
pub async fn unlimit(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    connection.lock_handle().await?.remove_progress_handler();
    Ok(())
}

/// Whether a question was ended because it took too long.
pub fn is_over(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(INTERRUPTED)
}
