//! How are web servers asked? Many requests at once, a line for each, and a verdict over all.

mod body;
mod expectation;
mod latency;
mod page;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::super::native::{Console, Failure, Native};
use crate::clock::instant;
use crate::job::Http;
use crate::run::Reason;
use crate::web::most_at_once;
use latency::{Latencies, in_words};
use requests::{Asked, Requests};

pub async fn carry(http: Arc<Http>, native: Native) -> Result<(), Failure> {
    let requests = Arc::new(Requests::prepare(http.clone(), &native)?);
    let most = http.url.len() * http.repeat;
    let at_once = http.max_parallel.min(most);
    let room = http.url.iter().map(most_at_once).max().unwrap_or(at_once);
    if at_once > room {
        let words = format!(
            "at most {room} of {at_once} requests are on their way at once, and the others wait for one to end"
        );
        native.console.complain(words).await;
    }
    let began = instant();
    let mut tally = Tally { most, ..Tally::default() };
    let mut under_way = JoinSet::new();
    let mut next = 0;
    loop {
        while next < most && under_way.len() < at_once {
            under_way.spawn(requests.clone().ask(next));
            next += 1;
        }
        tokio::select! {
            biased;
            () = native.cancelled.cancelled() => {
                // Waited for, so that what they had begun to save is gone when the run is.
                under_way.shutdown().await;
                native.console.complain(format!("given up with {} of {most} requests done", tally.done)).await;
                return Ok(());
            }
            asked = under_way.join_next() => match asked {
                Some(Ok(asked)) => {
                    tell(&asked, &requests, &native.console).await;
                    tally.count(&asked, &requests);
                }
                Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Some(Err(_)) => {}
                None => break,
            },
        }
    }
    tally.conclude(&http, began.elapsed(), &native.console).await
}

/// The line of a request, and what is wrong with it.
async fn tell(asked: &Asked, requests: &Requests, console: &Console) {
    let url = requests.url(asked.at);
    let status = asked.status.map_or_else(|| "---".to_owned(), |status| status.to_string());
    let head = asked.head.map_or_else(|| "-".to_owned(), in_words);
    let (total, size) = (in_words(asked.total), size_in_words(asked.size));
    console.line(format!("{status}  {total:>9}  first byte {head:>9}  {size:>10}  {url}")).await;
    if let Some(note) = &asked.note {
        console.line(format!("{url}: {note}")).await;
    }
    for wrong in &asked.wrong {
        console.complain(format!("{url}: {wrong}")).await;
    }
}

fn size_in_words(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
    let size = bytes as f64;
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..0x10_0000 => format!("{:.1} KiB", size / 1024.0),
        _ => format!("{:.1} MiB", size / 1_048_576.0),
    }
}

/// What the requests of a run come to.
#[derive(Debug, Default)]
struct Tally {
    most: usize,
    done: usize,
    failed: usize,
    /// The first that failed, and why.
    first: Option<String>,
    latencies: Vec<Duration>,
}

impl Tally {
    fn count(&mut self, asked: &Asked, requests: &Requests) {
        self.done += 1;
        if asked.head.is_some() {
            self.latencies.push(asked.total);
        }
        if !asked.wrong.is_empty() {
            self.failed += 1;
            self.first.get_or_insert_with(|| format!("{}: {}", requests.url(asked.at), asked.wrong.join("; ")));
        }
    }

    /// Prints percentiles and a last line, and judges.
    async fn conclude(self, http: &Http, took: Duration, console: &Console) -> Result<(), Failure> {
        let latencies = Latencies::of(self.latencies);
        if self.most > 1
            && let Some(words) = latencies.in_words()
        {
            console.line(words).await;
        }
        let above = latencies.above(&http.fail_above);
        for words in &above {
            console.complain(words).await;
        }
        let requests = if self.most == 1 { "1 request".to_owned() } else { format!("{} requests", self.most) };
        let ended = if self.failed == 0 { "all as expected".to_owned() } else { format!("{} failed", self.failed) };
        #[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
        let pace = self.most as f64 / took.as_secs_f64().max(f64::EPSILON);
        let pace = if self.most == 1 { String::new() } else { format!(", {pace:.1} a second") };
        console.line(format!("{requests} in {}{pace}: {ended}", in_words(took))).await;
        let others = match self.failed {
            0 | 1 => String::new(),
            failed => format!("{failed} of {requests} failed; the first: "),
        };
        let details: Vec<String> =
            self.first.map(|first| format!("{others}{first}")).into_iter().chain(above).collect();
        if details.is_empty() {
            return Ok(());
        }
        Err(Failure::Failed { reason: Reason::Expectation, detail: details.join("; ") })
    }
}
