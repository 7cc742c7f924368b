//! What do people want of what waits to be told: that it is tried again, or dropped?

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::configuration::Configuration;
use crate::control::{Denied, Granted, NoticeAct, WhichNotices};
use crate::daemon::demurs::{conflict, unavailable, unknown};
use crate::daemon::waiting::Answer;
use crate::inquiry::notices;
use crate::notice::{NoticeId, Standing};
use crate::report::DeliveryReport;
use crate::store::{NoticeFilter, Store};

/// Errands that wait for the sender, which takes them one by one.
pub const MOST_ERRANDS: usize = 64;

pub type Errands = mpsc::Sender<Errand>;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeWish {
    pub act: NoticeAct,
    pub notices: WhichNotices,
    /// Who wants it.
    pub by: String,
}

/// A wish, and who waits for what comes of it.
#[derive(Debug)]
pub struct Errand {
    pub wish: NoticeWish,
    pub answer: Answer,
}

impl Errand {
    pub async fn carry_out(self, store: &Store, file: &Configuration, now: Timestamp) {
        let granted = granted(store, &self.wish, file, now).await;
        // Who wished it may not wait for it any more.
        let _ = self.answer.send(granted);
    }
}

async fn granted(store: &Store, wish: &NoticeWish, file: &Configuration, now: Timestamp) -> Result<Granted, Denied> {
    let unreadable = |error: sqlx::Error| unavailable(format!("the ledger cannot be asked: {error}"));
    let chosen = chosen(store, wish).await.map_err(unreadable)??;
    match wish.act {
        NoticeAct::Retry => store.retry_notices(&chosen, now).await,
        NoticeAct::Drop => store.drop_notices(&chosen, &wish.by, now).await,
    }
    .map_err(unreadable)?;
    let numbers = Some(chosen.iter().map(|NoticeId(number)| *number).collect());
    let after = NoticeFilter { numbers, ..NoticeFilter::default() };
    notices(&store.reader, &after, Some(file), now)
        .await
        .map(Granted::Notices)
        .map_err(|error| unavailable(error.to_string()))
}

/// The notices that are meant: those that are named, or all that have not arrived.
async fn chosen(store: &Store, wish: &NoticeWish) -> Result<Result<Vec<NoticeId>, Denied>, sqlx::Error> {
    let numbers = match &wish.notices {
        WhichNotices::These(numbers) => Some(numbers.iter().map(|NoticeId(number)| *number).collect()),
        WhichNotices::All => None,
    };
    let mut found = Vec::new();
    let standings = match &numbers {
        Some(_) => vec![None],
        None => vec![Some(Standing::Waiting), Some(Standing::Undeliverable)],
    };
    for standing in standings {
        let filter = NoticeFilter { standing, numbers: numbers.clone(), ..NoticeFilter::default() };
        found.extend(store.reader.deliveries(&filter).await?);
    }
    Ok(fitting(wish, &found))
}

fn fitting(wish: &NoticeWish, found: &[DeliveryReport]) -> Result<Vec<NoticeId>, Denied> {
    let WhichNotices::These(numbers) = &wish.notices else {
        let mut all: Vec<NoticeId> = found.iter().map(|delivery| delivery.notice).collect();
        all.sort_unstable();
        all.dedup();
        return Ok(all);
    };
    for number in numbers {
        let mut deliveries = found.iter().filter(|delivery| delivery.notice == *number).peekable();
        if deliveries.peek().is_none() {
            let message = format!("there is no notice {}; punctual notices --all lists them", number.0);
            return Err(unknown(message));
        }
        if deliveries.all(|delivery| delivery.state == Standing::Sent.word()) {
            return Err(conflict(format!("notice {} was sent already; what was sent stays so", number.0)));
        }
    }
    Ok(numbers.clone())
}
