//! What does a calendar's table say? And the same again from what the ledger keeps of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Weekday;
use serde::{Deserialize, Serialize};
use toml::de::DeTable;

use super::diagnostic::Diagnostics;
use super::keys::CALENDAR;
use super::section::{At, Section, dotted};
use super::source::Source;
use super::value::describe;
use super::{Site, Zones};
use crate::schedule::{Calendar, Dates, Events, Hours, fingerprint, read_events};

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// A calendar's table, before the file that it names is read.
#[derive(Debug, Clone)]
pub struct RawCalendar {
    name: At<String>,
    dates: Vec<At<String>>,
    days: Vec<At<String>>,
    hours: Vec<At<String>>,
    file: Option<At<String>>,
}

/// The calendars of a file by their names; a wrong one is `None`.
pub struct Calendars(pub BTreeMap<String, Option<Arc<Calendar>>>);

/// A calendar as the ledger keeps it: all that its times follow from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct WrittenText {
    name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dates: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    days: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hours: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ics: Option<String>,
}

impl RawCalendar {
    pub fn read_all(table: &DeTable, said: &mut Diagnostics) -> Vec<Self> {
        let mut calendars = Vec::new();
        for (key, value) in table.iter() {
            let path = dotted("calendars", key.get_ref());
            match value.get_ref().as_table() {
                Some(table) => {
                    let name = At { value: key.get_ref().to_string(), span: key.span() };
                    calendars.push(Self::read(name, table, &path, said));
                }
                None => {
                    let message = format!("`{path}` is a table, not {}", describe(value.get_ref()));
                    let help = format!("write [{path}], and dates, days, hours or a file on the lines below");
                    said.error(&path, value.span(), message, Some(help));
                }
            }
        }
        calendars
    }

    fn read(name: At<String>, table: &DeTable, path: &str, said: &mut Diagnostics) -> Self {
        let mut section = Section::open(table, path, &[CALENDAR], said);
        let mut texts = |key: &str| section.texts_and_dates(key).map(|at| at.value).unwrap_or_default();
        let (dates, days, hours) = (texts("dates"), texts("days"), texts("hours"));
        let file = section.clean_text("file");
        if !CALENDAR.iter().any(|key| table.contains_key(key.name)) {
            let help = Some("write for example dates = [\"2026-12-25\"], days = [\"sat\", \"sun\"]".to_owned());
            section.error("", name.span.clone(), format!("the calendar `{}` has nothing in it", name.value), help);
        }
        Self { name, dates, days, hours, file }
    }

    /// The calendar; `None` if something in it is wrong.
    fn check(&self, source: &Source, site: &dyn Site, said: &mut Diagnostics) -> Option<Calendar> {
        let path = dotted("calendars", &self.name.value);
        let errors = said.errors.len();
        let mut all = |key: &str, items: &[At<String>], is_right: fn(&str) -> bool, help: &str| -> Vec<String> {
            for item in items.iter().filter(|item| !is_right(&item.value)) {
                let message = format!("`{}` is none of a calendar's {key}", item.value);
                said.error(&dotted(&path, key), item.span.clone(), message, Some(help.to_owned()));
            }
            items.iter().map(|item| item.value.clone()).collect()
        };
        let dates_help = "write \"2026-12-25\", \"2026-12-24/2027-01-01\" with both ends, or \"12-25\" for every year";
        let written = WrittenText {
            name: self.name.value.clone(),
            dates: all("dates", &self.dates, |text| Dates::parse(text).is_some(), dates_help),
            days: all("days", &self.days, |text| weekday(text).is_some(), "write \"mon\" to \"sun\""),
            hours: all("hours", &self.hours, |text| Hours::parse(text).is_some(), "write for example \"02:00-04:00\""),
            ics: None,
        };
        let ics = match &self.file {
            None => None,
            Some(file) => match site.text(&source.folder(file.span.start).join(&file.value)) {
                Ok(text) => Some(text),
                Err(message) => {
                    said.error(&dotted(&path, "file"), file.span.clone(), message, None);
                    return None;
                }
            },
        };
        match written.with(ics).read(site) {
            Ok(calendar) => (said.errors.len() == errors).then_some(calendar),
            Err(message) => {
                let span = self.file.as_ref().map_or(self.name.span.clone(), |file| file.span.clone());
                said.error(&dotted(&path, "file"), span, message, None);
                None
            }
        }
    }
}

impl Calendars {
    pub fn check(raw: &[RawCalendar], source: &Source, site: &dyn Site, said: &mut Diagnostics) -> Self {
        let check = |raw: &RawCalendar| (raw.name.value.clone(), raw.check(source, site, said).map(Arc::new));
        Self(raw.iter().map(check).collect())
    }
}

impl WrittenText {
    fn with(self, ics: Option<String>) -> Self {
        Self { ics, ..self }
    }

    /// What of it can be read; the error is about the events.
    fn read(&self, zones: &dyn Zones) -> Result<Calendar, String> {
        let zone = |name: &str| zones.zone(name).map(|zone| zone.zone);
        let events = match &self.ics {
            Some(text) => read_events(text, &zone).map_err(|error| error.to_string())?,
            None => Events::default(),
        };
        let text = serde_json::to_string(self).unwrap_or_default();
        Ok(Calendar {
            name: self.name.clone(),
            version: fingerprint(text.as_bytes()),
            dates: self.dates.iter().filter_map(|text| Dates::parse(text)).collect(),
            days: self.days.iter().filter_map(|text| weekday(text)).collect(),
            hours: self.hours.iter().filter_map(|text| Hours::parse(text)).collect(),
            events,
            text: text.into(),
        })
    }
}

/// Reads again what the ledger kept of a calendar.
pub fn calendar_from(text: &str, zones: &dyn Zones) -> Option<Arc<Calendar>> {
    let written: WrittenText = serde_json::from_str(text).ok()?;
    written.read(zones).ok().map(Arc::new)
}

/// A day of the week by its name or the first three letters of it.
fn weekday(text: &str) -> Option<Weekday> {
    let lower = text.trim().to_ascii_lowercase();
    let name = |day: Weekday| format!("{day:?}").to_ascii_lowercase();
    DAYS.iter().find(|(short, day)| *short == lower || name(*day) == lower).map(|(_, day)| *day)
}
