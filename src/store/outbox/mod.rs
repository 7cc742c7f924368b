//! What waits to be told, what became of it, and what is remembered of what was told?

mod list;
mod queue;
mod records;
mod wishes;

pub use list::{NoticeFilter, Outstanding};
pub use queue::{Lane, Message, Outcome, SENT_FOR, TOGETHER};
pub use records::{FORGET_TOLD, INSERT_DELIVERIES, INSERT_NOTICES, INSERT_TOLD, delivery_rows, notice_row, told_rows};

use super::open::Reader;
use crate::job::CarrierKind;
use crate::notice::Standing;

/// Of a ledger that no daemon of this version has written to.
const HAS_TABLES: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'notices')";

impl Reader {
    async fn has_outbox(&self) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar(HAS_TABLES).fetch_one(&self.pool).await
    }
}

/// The number of a carrier in the ledger.
fn number_of(carrier: CarrierKind) -> i64 {
    match carrier {
        CarrierKind::Mail => 1,
        CarrierKind::Webhook => 2,
        CarrierKind::Command => 3,
    }
}

fn carrier_of(number: i64) -> Option<CarrierKind> {
    CarrierKind::WORDS.iter().map(|(_, carrier)| *carrier).find(|carrier| number_of(*carrier) == number)
}

fn number_of_standing(standing: Standing) -> i64 {
    match standing {
        Standing::Waiting => 1,
        Standing::Sent => 2,
        Standing::Undeliverable => 3,
        Standing::Dropped => 4,
    }
}

fn standing_of(number: i64) -> Option<Standing> {
    Standing::WORDS.iter().map(|(_, standing)| *standing).find(|standing| number_of_standing(*standing) == number)
}

#[cfg(test)]
mod tests;
