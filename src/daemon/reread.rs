//! When is the configuration read again? When its files change, and when somebody asks; on a thread of its own, because a large
//! file takes seconds.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::reading::{Files, Outcome, Reread, Seen};
use crate::clock::instant;
use crate::configuration::{Base, Configuration, Overlay};
use crate::files::Watch;

/// An editor writes a file in several steps: so long nothing has to happen.
const SETTLES_AFTER: Duration = Duration::from_millis(250);
/// Whoever never stops writing is read all the same.
const WAITS_AT_MOST: Duration = Duration::from_secs(5);
/// How often one looks whether something has changed of which nobody has told: a folder far up that was moved.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// The same where nobody tells of anything.
const LOOK_OFTEN: Duration = Duration::from_secs(2);
/// Who writes into a file empties it first, and half of it may be right: a text that is cut at a line's end is a file with
/// fewer jobs. So long, where an editor takes a millisecond, what was read has to stand.
const STANDS_AFTER: Duration = Duration::from_millis(50);
/// Readings until one of them stands; whoever never stops writing is read all the same.
const MOST_READINGS: usize = 20;
/// What a file names may name other things by the time that it is watched; so often that is looked into.
const MOST_FOLLOWED: usize = 3;

/// What has happened to the files.
pub enum Stir {
    /// They are to be read.
    Settled(Reread),
    /// They were read.
    Read(Reread, Outcome),
}

/// One reading at a time.
pub struct Rereading {
    files: Arc<Files>,
    running: JoinSet<Done>,
    /// What was demanded meanwhile.
    next: Option<Reread>,
    /// What is in force.
    base: Arc<Base>,
    /// What was read last, and what is watched; whoever reads has them.
    seen: Seen,
    watch: Option<Watch>,
    /// Rings whenever something happens to the files.
    bell: Arc<Notify>,
    /// Between which moments it rang since the last reading.
    rang: Option<(Instant, Instant)>,
    look_at: Instant,
    is_blind: bool,
}

/// What a reading leaves.
struct Done {
    what: Reread,
    outcome: Outcome,
    seen: Seen,
    watch: Watch,
}

impl Rereading {
    /// `configuration` was read a moment ago, from these files.
    pub fn new(files: Files, configuration: &Configuration, seen: Seen) -> Self {
        Self {
            files: Arc::new(files),
            running: JoinSet::new(),
            next: None,
            base: Arc::new(configuration.base()),
            seen,
            watch: None,
            bell: Arc::default(),
            rang: None,
            // Now they begin to be watched.
            look_at: instant(),
            is_blind: false,
        }
    }

    /// From now on this is in force.
    pub fn put_in_force(&mut self, configuration: &Configuration) {
        self.base = Arc::new(configuration.base());
    }

    /// What lies over the files.
    pub fn overlay(&self) -> &Overlay {
        &self.files.overlay
    }

    /// Begins to read, or does so once the reading that goes on has ended; what counts for more is not forgotten.
    pub fn begin(&mut self, what: Reread, now: Timestamp) {
        if !self.running.is_empty() {
            self.next = self.next.into_iter().chain([what]).max();
            return;
        }
        let (files, base, bell) = (self.files.clone(), self.base.clone(), self.bell.clone());
        let (seen, watch) = (std::mem::take(&mut self.seen), self.watch.take());
        self.running.spawn_blocking(move || read(&files, what, &seen, watch, &base, &bell, now));
    }

    /// Waits until something has happened to the files. Dropping the future loses nothing.
    pub async fn stir(&mut self) -> Stir {
        loop {
            let settles = self.rang.map(|(first, last)| (last + SETTLES_AFTER).min(first + WAITS_AT_MOST));
            let is_idle = self.running.is_empty();
            tokio::select! {
                Some(done) = self.running.join_next() => match done {
                    Ok(done) => return self.done(done),
                    Err(error) => {
                        tracing::error!("the file could not be read again; the jobs stay as they were: {error}");
                    }
                },
                () = self.bell.notified() => {
                    let now = instant();
                    self.rang = Some((self.rang.map_or(now, |(first, _)| first), now));
                }
                () = at(settles), if is_idle => {
                    self.rang = None;
                    return Stir::Settled(Reread::Noticed);
                }
                () = sleep_until(self.look_at), if is_idle => {
                    self.look_at = instant() + if self.is_blind { LOOK_OFTEN } else { LOOK_EVERY };
                    return Stir::Settled(Reread::Looked);
                }
            }
        }
    }

    fn done(&mut self, Done { what, outcome, seen, watch }: Done) -> Stir {
        let blind = watch.blind();
        if let Some(why) = blind.filter(|_| !self.is_blind) {
            tracing::warn!("changes of the file are looked for every {LOOK_OFTEN:?}, because {why}");
        }
        if blind.is_some() != self.is_blind {
            self.is_blind = blind.is_some();
            self.look_at = instant() + if self.is_blind { LOOK_OFTEN } else { LOOK_EVERY };
        }
        self.seen = seen;
        self.watch = Some(watch);
        Stir::Read(what, outcome)
    }

    /// Begins what was demanded meanwhile.
    pub fn follow_up(&mut self, now: Timestamp) {
        if let Some(what) = self.next.take() {
            self.begin(what, now);
        }
    }
}

/// Reads on this thread until what was read stands.
#[expect(clippy::disallowed_methods, reason = "who is halfway through a file tells nobody")]
fn read(
    files: &Files,
    what: Reread,
    seen: &Seen,
    watch: Option<Watch>,
    base: &Base,
    bell: &Arc<Notify>,
    now: Timestamp,
) -> Done {
    let mut done = read_once(files, what, seen.clone(), watch, base, bell, now);
    for _ in 1..MOST_READINGS {
        if matches!(done.outcome, Outcome::Same) {
            break;
        }
        std::thread::sleep(STANDS_AFTER);
        if !done.watch.has_changed() {
            break;
        }
        done = read_once(files, what, seen.clone(), Some(done.watch), base, bell, now);
    }
    done
}

/// What the files name is watched before it is read: a change in between rings the bell.
fn read_once(
    files: &Files,
    what: Reread,
    mut seen: Seen,
    mut watch: Option<Watch>,
    base: &Base,
    bell: &Arc<Notify>,
    now: Timestamp,
) -> Done {
    if what == Reread::Looked
        && let Some(watch) = watch.take_if(|watch| !watch.has_changed())
    {
        return Done { what, outcome: Outcome::Same, seen, watch };
    }
    let mut watch = Watch::over(files.spots(&seen), watch, bell);
    // From here on a change is one of what is read.
    watch.has_changed();
    let mut outcome = files.read(what, &mut seen, base, now);
    for _ in 0..MOST_FOLLOWED {
        let spots = files.spots(&seen);
        if spots == *watch.spots() {
            break;
        }
        watch = Watch::over(spots, Some(watch), bell);
        match files.read(Reread::Noticed, &mut seen, base, now) {
            Outcome::Same => break,
            other => outcome = other,
        }
    }
    Done { what, outcome, seen, watch }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
