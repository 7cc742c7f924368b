//! What is known while raw jobs are checked, and how are values laid over each other?

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::calendars::Calendars;
use super::channels::Channels;
use super::diagnostic::Diagnostics;
use super::known::Known;
use super::policies::Policies;
use super::section::At;
use super::smtp::Outlet;
use super::source::Source;
use super::{Site, Zone};
use crate::job::Channel;

/// Makes checked jobs of raw ones.
pub struct Checker<'c> {
    pub site: &'c dyn Site,
    pub source: &'c Source,
    /// Of the file in which the job stands that is being checked.
    pub folder: PathBuf,
    pub calendars: Calendars,
    pub pools: &'c BTreeMap<String, usize>,
    pub channels: &'c Channels,
    /// Whom jobs tell that do not say it.
    pub told: Vec<Arc<Channel>>,
    /// How mail leaves.
    pub outlet: Outlet,
    pub known: Known,
    pub defaults: &'c Policies,
    pub said: &'c mut Diagnostics,
}

impl Checker<'_> {
    pub fn default_zone(&mut self, name: &str, span: Option<Range<usize>>) -> Option<Zone> {
        self.zone(name, "daemon.timezone", span.unwrap_or(0..0))
    }

    pub fn zone(&mut self, name: &str, key: &str, span: Range<usize>) -> Option<Zone> {
        if let Some(zone) = self.site.zone(name) {
            return Some(zone);
        }
        if let Some(zone) = zone_of_abbreviation(name) {
            let help = format!("write \"{zone}\", or another place with the same clocks");
            self.said.error(key, span, format!("`{name}` is an abbreviation and no zone"), Some(help));
            return None;
        }
        let names = self.site.names();
        let help = match self.said.nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "write a name such as \"Europe/Berlin\", \"UTC\", or \"system\" for this machine's zone".to_owned(),
        };
        self.said.error(key, span, format!("there is no zone `{name}`"), Some(help));
        None
    }
}

/// A place of the zone that people abbreviate so, mostly for a part of the year.
fn zone_of_abbreviation(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_uppercase().as_str() {
        "PST" | "PDT" | "PT" => "America/Los_Angeles",
        "MST" | "MDT" | "MT" => "America/Denver",
        "CST" | "CDT" | "CT" => "America/Chicago",
        "EST" | "EDT" | "ET" => "America/New_York",
        "AKST" | "AKDT" => "America/Anchorage",
        "BST" => "Europe/London",
        "WEST" => "Europe/Lisbon",
        "CEST" | "MEZ" | "MESZ" => "Europe/Berlin",
        "EEST" => "Europe/Helsinki",
        "MSK" => "Europe/Moscow",
        "IST" => "Asia/Kolkata",
        "JST" => "Asia/Tokyo",
        "KST" => "Asia/Seoul",
        "AEST" | "AEDT" => "Australia/Sydney",
        _ => return None,
    })
}

pub fn pick<T: Clone>(own: Option<&At<T>>, inherited: Option<&At<T>>) -> Option<T> {
    own.or(inherited).map(|at| at.value.clone())
}

/// The job's own value, or the inherited one; `None` where neither says anything or `"none"` was the last word.
pub fn set<T: Clone>(own: Option<&At<Option<T>>>, inherited: Option<&At<Option<T>>>) -> Option<T> {
    own.or(inherited).and_then(|at| at.value.clone())
}
