//! What was read before? A file of many jobs has few different schedules and surroundings: what was read once is shared.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::job::{ChannelName, JobName, Rules, SlowAfter, Surroundings, Target, Telling, Timing, WrittenTiming};
use crate::schedule::{Schedule, ScheduleError};

/// What was read before, by its text.
#[derive(Default)]
pub struct Known {
    schedules: HashMap<String, Result<Arc<Schedule>, ScheduleError>>,
    timings: HashMap<WrittenTiming, KnownTiming>,
    surroundings: HashSet<Arc<Surroundings>>,
    rules: HashSet<Arc<Rules>>,
    shells: HashSet<Arc<[String]>>,
    tellings: HashMap<WrittenTelling, Arc<Telling>>,
}

/// All that tells one telling from another of the same file.
#[derive(PartialEq, Eq, Hash)]
struct WrittenTelling {
    channels: Vec<ChannelName>,
    slow_after: Option<SlowAfter>,
    overdue_after: Option<Duration>,
    ping: Option<Target>,
}

/// A timing, and what has to be said about it at each job that has it.
#[derive(Clone)]
pub struct KnownTiming {
    pub timing: Arc<Timing>,
    pub names_any: bool,
    pub is_past: bool,
}

impl Known {
    pub fn surroundings(&mut self, read: Surroundings) -> Arc<Surroundings> {
        shared(&mut self.surroundings, read)
    }

    pub fn rules(&mut self, read: Rules) -> Arc<Rules> {
        shared(&mut self.rules, read)
    }

    pub fn shell(&mut self, read: Vec<String>) -> Arc<[String]> {
        shared(&mut self.shells, read)
    }

    pub fn telling(&mut self, read: Telling) -> Arc<Telling> {
        let written = WrittenTelling {
            channels: read.channels.iter().map(|channel| channel.name.clone()).collect(),
            slow_after: read.slow_after,
            overdue_after: read.overdue_after,
            ping: read.ping.clone(),
        };
        self.tellings.entry(written).or_insert_with(|| Arc::new(read)).clone()
    }

    pub fn schedule(&mut self, text: &str, job: &JobName) -> Result<Arc<Schedule>, ScheduleError> {
        if let Some(known) = self.schedules.get(text) {
            return known.clone();
        }
        let read = Schedule::parse(text, job.as_str()).map(Arc::new);
        if !read.as_ref().is_ok_and(|schedule| schedule.is_hashed()) {
            self.schedules.insert(text.to_owned(), read.clone());
        }
        read
    }

    pub fn timing(
        &mut self,
        written: WrittenTiming,
        now: Timestamp,
        make: impl FnOnce(WrittenTiming) -> Timing,
    ) -> KnownTiming {
        if let Some(known) = self.timings.get(&written) {
            return known.clone();
        }
        let timing = Arc::new(make(written.clone()));
        let timetable = &timing.timetable;
        let in_advance = timetable.schedules.iter().all(|schedule| schedule.names_instants());
        let known = KnownTiming {
            names_any: timetable.names_any(),
            is_past: timetable.bounds.last() < now || in_advance && timetable.next_after(now).is_none(),
            timing,
        };
        self.timings.insert(written, known.clone());
        known
    }
}

/// The value that was read before, if it is the same.
fn shared<V, T: ?Sized + Eq + Hash>(known: &mut HashSet<Arc<T>>, read: V) -> Arc<T>
where
    V: std::borrow::Borrow<T> + Into<Arc<T>>,
{
    if let Some(known) = known.get(read.borrow()) {
        return known.clone();
    }
    let read: Arc<T> = read.into();
    known.insert(read.clone());
    read
}
