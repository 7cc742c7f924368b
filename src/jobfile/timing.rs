//! When is a job due, by what its table says? Schedules, zone, bounds and calendars become a [`Timing`].

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::checker::{Checker, set};
use super::known::KnownTiming;
use super::raw::RawJob;
use super::section::{At, dotted};
use super::{Zone, Zones};
use crate::job::{JobName, Timing, WrittenCalendar, WrittenTiming};
use crate::schedule::{Bound, Bounds, Calendar, Closure, Fold, Gap, Place, Schedule, Then, Timetable};

/// Moving to another day is for what happens on days: of a schedule that names more instants a day, those of a closed
/// day have their like on the next one anyway.
const MOST_MOVED_A_DAY: u64 = 96;

/// What is wrong was said where it stands.
struct Complained;

/// Where a job's schedules hold: its own values, or those of `[defaults]`.
struct Rules {
    place: Place,
    not_before: Option<Bound>,
    not_after: Option<Bound>,
    closure: Option<Closure>,
}

impl Checker<'_> {
    pub fn timing(
        &mut self,
        name: &JobName,
        raw: &RawJob,
        default_zone: Option<&Zone>,
        now: Timestamp,
    ) -> Option<Arc<Timing>> {
        let path = dotted("jobs", name.as_str());
        let zone = self.zone_of(&path, raw, default_zone);
        let closure = self.closure(&path, raw);
        let written = raw.schedule.as_ref()?;
        let key = dotted(&path, "schedule");
        if written.value.is_empty() {
            let help = Some("leave the key out for a job that is run by hand only".to_owned());
            self.said.error(&key, written.span.clone(), "`schedule` is empty", help);
            return None;
        }
        let schedules = self.schedules(&key, name, &written.value)?;
        let (zone, closure) = (zone?, closure.ok()?);
        self.check_moves(&path, raw, &schedules, closure.as_ref())?;
        let (own, inherited) = (&raw.policies, self.defaults);
        let rules = Rules {
            place: Place {
                zone: zone.zone.clone(),
                gap: set(own.dst_gap.as_ref(), inherited.dst_gap.as_ref()),
                fold: set(own.dst_fold.as_ref(), inherited.dst_fold.as_ref()),
            },
            not_before: raw.not_before.as_ref().map(|at| at.value),
            not_after: raw.not_after.as_ref().map(|at| at.value),
            closure,
        };
        let text = written_timing(name, &schedules, &zone, &rules);
        let known = self.known.timing(text, now, |written| timing_of(schedules, rules, written, zone.tzif));
        self.check_fires(&path, raw, written, &known)?;
        Some(known.timing)
    }

    fn zone_of(&mut self, path: &str, raw: &RawJob, default_zone: Option<&Zone>) -> Option<Zone> {
        let named = raw.policies.timezone.as_ref().or(self.defaults.timezone.as_ref());
        match named.and_then(|at| at.value.as_ref().map(|name| (name, at.span.clone()))) {
            Some((name, span)) => self.zone(name, &dotted(path, "timezone"), span),
            None => default_zone.cloned(),
        }
    }

    fn schedules(&mut self, key: &str, job: &JobName, texts: &[At<String>]) -> Option<Vec<Arc<Schedule>>> {
        // All of them are looked at, so that all that is wrong is said.
        let read: Vec<Option<Arc<Schedule>>> = texts.iter().map(|text| self.schedule(key, job, text)).collect();
        let schedules: Vec<Arc<Schedule>> = read.into_iter().collect::<Option<_>>()?;
        let lonely = schedules.iter().position(|schedule| schedule.after_end().is_some());
        if let Some(at) = lonely.filter(|_| schedules.len() > 1) {
            let help = Some("give the other schedule to a job of its own".to_owned());
            self.said.error(key, texts[at].span.clone(), "`after end` stands alone in its job", help);
            return None;
        }
        Some(schedules)
    }

    fn schedule(&mut self, key: &str, job: &JobName, text: &At<String>) -> Option<Arc<Schedule>> {
        match self.known.schedule(&text.value, job) {
            Ok(schedule) => {
                for trap in schedule.traps() {
                    self.said.warn(key, within(text, &trap.span), &*trap.message, Some(trap.help.clone()));
                }
                Some(schedule)
            }
            Err(error) => {
                self.said.error(key, within(text, &error.span), error.message, error.help);
                None
            }
        }
    }

    /// The calendars in which the job does not run.
    fn closure(&mut self, path: &str, raw: &RawJob) -> Result<Option<Closure>, Complained> {
        let (own, inherited) = (&raw.policies, self.defaults);
        let then = set(own.not_on_then.as_ref(), inherited.not_on_then.as_ref()).unwrap_or(Then::Skip);
        let Some(names) = set(own.not_on.as_ref(), inherited.not_on.as_ref()) else {
            return Ok(None);
        };
        let calendars: Vec<Option<Arc<Calendar>>> =
            names.iter().map(|name| self.calendar(&dotted(path, "not_on"), name)).collect();
        let calendars: Vec<Arc<Calendar>> = calendars.into_iter().collect::<Option<_>>().ok_or(Complained)?;
        Ok((!calendars.is_empty()).then_some(Closure { calendars, then }))
    }

    fn calendar(&mut self, key: &str, name: &At<String>) -> Option<Arc<Calendar>> {
        match self.calendars.0.get(&name.value) {
            // A wrong one was complained about where it stands.
            Some(calendar) => calendar.clone(),
            None => {
                let help = match self.said.nearest(&name.value, self.calendars.0.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("write it as [calendars.{}]", name.value),
                };
                let message = format!("there is no calendar `{}`", name.value);
                self.said.error(key, name.span.clone(), message, Some(help));
                None
            }
        }
    }

    fn check_moves(
        &mut self,
        path: &str,
        raw: &RawJob,
        schedules: &[Arc<Schedule>],
        closure: Option<&Closure>,
    ) -> Option<()> {
        let a_day: u64 = schedules.iter().map(|schedule| schedule.most_a_day()).sum();
        if !closure.is_some_and(Closure::moves) || a_day <= MOST_MOVED_A_DAY {
            return Some(());
        }
        let inherited = self.defaults.not_on_then.as_ref();
        let span = raw.policies.not_on_then.as_ref().or(inherited).map_or(0..0, |at| at.span.clone());
        let message = format!("moving to another day is for jobs of a few instants a day; this one has up to {a_day}");
        let help = Some("write not_on_then = \"skip\"".to_owned());
        self.said.error(&dotted(path, "not_on_then"), span, message, help);
        None
    }

    fn check_fires(
        &mut self,
        path: &str,
        raw: &RawJob,
        written: &At<Vec<At<String>>>,
        known: &KnownTiming,
    ) -> Option<()> {
        let key = dotted(path, "schedule");
        let is_bounded = raw.not_before.is_some() || raw.not_after.is_some();
        if known.timing.timetable.bounds.is_empty() {
            let span = raw.not_after.as_ref().map_or(written.span.clone(), |at| at.span.clone());
            self.said.error(&dotted(path, "not_after"), span, "`not_after` is before `not_before`", None);
            return None;
        }
        if !known.names_any {
            let bounded = "this schedule never fires: it names no instant between `not_before` and `not_after`";
            let message = if is_bounded { bounded } else { "this schedule never fires" };
            self.said.error(&key, written.span.clone(), message, None);
            return None;
        }
        if known.is_past {
            let message = "this schedule will not fire again: all its instants are past";
            self.said.warn(&key, written.span.clone(), message, None);
        }
        Some(())
    }
}

fn written_timing(job: &JobName, schedules: &[Arc<Schedule>], zone: &Zone, rules: &Rules) -> WrittenTiming {
    let is_hashed = schedules.iter().any(|schedule| schedule.is_hashed());
    let calendars = rules.closure.iter().flat_map(|closure| &closure.calendars);
    WrittenTiming {
        schedules: schedules.iter().map(|schedule| schedule.text().to_owned()).collect(),
        zone: zone.name.clone(),
        zone_data: zone.data.clone(),
        dst_gap: rules.place.gap.and_then(Gap::word).map(str::to_owned),
        dst_fold: rules.place.fold.and_then(Fold::word).map(str::to_owned),
        hashed_from: is_hashed.then(|| job.to_string()),
        not_before: rules.not_before.map(|bound| bound.to_string()),
        not_after: rules.not_after.map(|bound| bound.to_string()),
        not_on: calendars
            .map(|calendar| WrittenCalendar { name: calendar.name.clone(), version: calendar.version.clone() })
            .collect(),
        not_on_then: rules.closure.as_ref().filter(|closure| closure.moves()).map(|c| c.then.word().to_owned()),
    }
}

fn timing_of(schedules: Vec<Arc<Schedule>>, rules: Rules, written: WrittenTiming, zone: Option<Arc<[u8]>>) -> Timing {
    let bounds = Bounds::new(rules.not_before, rules.not_after, &rules.place.zone);
    Timing { timetable: Timetable { schedules, place: rules.place, bounds, closure: rules.closure }, written, zone }
}

/// What the ledger keeps beside the words of definitions.
#[derive(Debug, Default)]
pub struct Kept {
    /// By their versions.
    pub calendars: BTreeMap<String, Arc<Calendar>>,
    /// By their names and versions.
    pub zones: BTreeMap<(String, String), TimeZone>,
}

impl Kept {
    /// The zone as it was when the words were written; as it is now, where the ledger does not have that.
    fn zone(&self, written: &WrittenTiming, zones: &dyn Zones) -> Option<(TimeZone, Option<Arc<[u8]>>)> {
        let now = zones.zone(&written.zone);
        if let Some(same) = now.as_ref().filter(|zone| zone.data == written.zone_data) {
            return Some((same.zone.clone(), same.tzif.clone()));
        }
        let kept = self.zones.get(&(written.zone.clone(), written.zone_data.clone())).cloned();
        kept.or_else(|| now.map(|zone| zone.zone)).map(|zone| (zone, None))
    }

    /// Whether the zone of these words can be had as it was when they were written.
    pub fn has_zone_of(&self, written: &WrittenTiming, zones: &dyn Zones) -> bool {
        self.zones.contains_key(&(written.zone.clone(), written.zone_data.clone()))
            || zones.zone(&written.zone).is_some_and(|zone| zone.data == written.zone_data)
    }
}

/// Reads again what the ledger kept of a job's schedule; `None` if the zone or a calendar is gone, or the text cannot be
/// read any more.
pub fn timing_from(written: &WrittenTiming, zones: &dyn Zones, kept: &Kept) -> Option<Arc<Timing>> {
    let (zone, tzif) = kept.zone(written, zones)?;
    let job = written.hashed_from.as_deref().unwrap_or_default();
    let schedules: Result<Vec<_>, _> =
        written.schedules.iter().map(|text| Schedule::parse(text, job).map(Arc::new)).collect();
    let closed: Option<Vec<_>> =
        written.not_on.iter().map(|named| kept.calendars.get(&named.version).cloned()).collect();
    let then = written.not_on_then.as_deref().and_then(Then::from_word).unwrap_or(Then::Skip);
    let rules = Rules {
        place: Place {
            zone,
            gap: written.dst_gap.as_deref().and_then(Gap::from_word),
            fold: written.dst_fold.as_deref().and_then(Fold::from_word),
        },
        not_before: written.not_before.as_deref().and_then(Bound::parse),
        not_after: written.not_after.as_deref().and_then(Bound::parse),
        closure: Some(Closure { calendars: closed?, then }).filter(|closure| !closure.calendars.is_empty()),
    };
    Some(Arc::new(timing_of(schedules.ok()?, rules, written.clone(), tzif)))
}

/// The place of a part of a text value in the file. Its bytes stand there as they are unless the value is written with
/// escapes; then the whole value is meant.
fn within(text: &At<String>, part: &Range<usize>) -> Range<usize> {
    const QUOTES: usize = 2;
    if text.span.len() != text.value.len() + QUOTES {
        return text.span.clone();
    }
    let start = text.span.start + QUOTES / 2;
    let end = (start + part.end).max(start + part.start + 1).min(text.span.end);
    start + part.start..end
}
