//! What would this systemd timer be here?

mod calendar;
mod exec;
mod service;
mod span;
mod unit;

use std::collections::BTreeSet;

use super::Text;
use super::name::Names;
use super::quote::in_remark;
use super::sheet::{Act, Draft, Sheet, Trouble, Value};
use crate::jobfile::Zones;
use calendar::calendar;
use unit::{Setting, all, is_yes, last, settings};

/// A timer and the service that it starts, each as its file and what is dropped in beside it.
#[derive(Debug, Clone)]
pub struct Unit {
    pub name: String,
    pub timer: Vec<Text>,
    pub service_name: String,
    pub service: Vec<Text>,
}

/// What became of timers.
#[derive(Debug, Clone)]
pub struct ImportedTimers {
    pub sheet: Sheet,
    /// All texts, in the order in which places count them.
    pub texts: Vec<Text>,
    pub troubles: Vec<Trouble>,
}

/// A timer with its service, from where `look` finds units by their names; `None` if there is no such timer.
pub fn units_of(name: &str, look: &mut dyn FnMut(&str) -> Vec<Text>) -> Option<Unit> {
    let timer = look(name);
    if timer.is_empty() {
        return None;
    }
    let read: Vec<Setting> = timer.iter().flat_map(|text| settings(0, text)).collect();
    let stem = name.strip_suffix(".timer").unwrap_or(name);
    let named = last(&read, "Timer", "Unit").map(|setting| setting.value.clone());
    let service_name = named.unwrap_or_else(|| format!("{stem}.service"));
    // What an instance starts is said in its template with a specifier.
    let names = exec::Names { unit: name.to_owned(), user: None };
    let (service_name, _) = names.spell_out(&service_name);
    let service = look(&service_name);
    Some(Unit { name: name.to_owned(), timer, service_name, service })
}

/// Makes jobs of timers, in their order.
pub fn import_timers(units: &[Unit], zones: &dyn Zones) -> ImportedTimers {
    let mut imported = ImportedTimers { sheet: Sheet::default(), texts: Vec::new(), troubles: Vec::new() };
    let mut names = Names::default();
    let listed: BTreeSet<&str> = units.iter().map(|unit| unit.name.as_str()).collect();
    let listed: Vec<&str> = listed.into_iter().collect();
    imported.sheet.head = vec![
        format!("From {} of systemd. What means something else here has a note above it.", in_remark(&listed.join(", "))),
        "Where the clocks are changed, systemd leaves out what falls into the gap; here it runs when the gap ends, unless \
         dst_gap = \"skip\" says otherwise."
            .to_owned(),
    ];
    for unit in units {
        one(unit, zones, &mut names, &mut imported);
    }
    imported
}

fn one(unit: &Unit, zones: &dyn Zones, names: &mut Names, imported: &mut ImportedTimers) {
    let mut read = |texts: &[Text]| -> Vec<Setting> {
        let mut found = Vec::new();
        for text in texts {
            found.extend(settings(imported.texts.len(), text));
            imported.texts.push(text.clone());
        }
        found
    };
    let timer = read(&unit.timer);
    let service = read(&unit.service);
    let first = imported.texts.len() - unit.timer.len() - unit.service.len();
    if unit.service.is_empty() {
        let setting = last(&timer, "Timer", "Unit");
        let (line, span) = setting.map_or((1, 0..0), |setting| (setting.line, setting.span.clone()));
        let message = format!("there is no service {}", in_remark(&unit.service_name));
        imported.troubles.push(Trouble { source: first, line, span, message, help: None });
        return;
    }
    let described = last(&service, "Unit", "Description").or_else(|| last(&timer, "Unit", "Description"));
    let spelt = exec::Names { unit: unit.service_name.clone(), user: None };
    let mut draft = Draft {
        name: String::new(),
        source: first,
        line: 1,
        comments: Vec::new(),
        remarks: Vec::new(),
        description: described.map(|setting| spelt.spell_out(&setting.value).0),
        schedules: Vec::new(),
        act: Act::Steps(Vec::new()),
        stdin: None,
        policies: Vec::new(),
    };
    Timing { settings: &timer, draft: &mut draft, troubles: &mut imported.troubles }.read(zones);
    let has_command = service::read(&service, &unit.service_name, &mut draft, &mut imported.troubles);
    if !has_command {
        let message = format!("{} has no ExecStart", in_remark(&unit.service_name));
        let source = first + unit.timer.len();
        imported.troubles.push(Trouble { source, line: 1, span: 0..0, message, help: None });
        return;
    }
    draft.name = names.give(unit.name.strip_suffix(".timer").unwrap_or(&unit.name));
    imported.sheet.drafts.push(draft);
}

/// What a timer says about when.
struct Timing<'t> {
    settings: &'t [Setting],
    draft: &'t mut Draft,
    troubles: &'t mut Vec<Trouble>,
}

impl Timing<'_> {
    fn get(&self, key: &str) -> Option<&Setting> {
        last(self.settings, "Timer", key)
    }

    fn remark(&mut self, setting: &Setting, what: &str) {
        let value = in_remark(&setting.value);
        self.draft.remarks.push(format!("{}={value} ({}) {what}.", setting.key, setting.place()));
    }

    fn read(mut self, zones: &dyn Zones) {
        let zone = self.calendars(zones);
        self.intervals();
        let is_persistent = self.get("Persistent").is_some_and(|setting| is_yes(&setting.value));
        if !is_persistent {
            self.draft.policies.push(("catch_up", Value::text("none")));
        }
        if let Some(zone) = zone {
            self.draft.policies.push(("timezone", Value::Text(zone)));
        }
        if let Some(delay) = self.get("RandomizedDelaySec").and_then(|setting| span::micros(&setting.value))
            && delay > 0
        {
            self.draft.policies.push(("jitter", Value::Text(span::duration(delay))));
        }
        for (key, what) in [
            ("AccuracySec", "is not needed: a run starts at its instant"),
            ("WakeSystem", "is left behind: punctual does not wake the machine"),
            ("OnClockChange", "is left behind: nothing runs because the clock was set"),
            ("OnTimezoneChange", "is left behind: nothing runs because the zone was changed"),
        ] {
            let is_switch = key != "AccuracySec";
            let unwanted = self.get(key).filter(|setting| !is_switch || is_yes(&setting.value)).cloned();
            if let Some(setting) = unwanted {
                self.remark(&setting, what);
            }
        }
        if self.draft.schedules.is_empty() {
            self.draft.remarks.push("nothing of the timer could be taken over: it runs by hand only.".to_owned());
        }
    }

    /// The schedules of `OnCalendar`; the answer is their zone, if they name one.
    fn calendars(&mut self, zones: &dyn Zones) -> Option<String> {
        let is_zone = |name: &str| zones.zone(name).is_some();
        let mut found: Option<Option<String>> = None;
        for setting in all(self.settings, "Timer", "OnCalendar") {
            let read = calendar(&setting.value, &is_zone).and_then(|calendar| {
                crate::schedule::Schedule::parse(&calendar.schedule, "job").map_err(|error| error.message)?;
                Ok(calendar)
            });
            let message = match read {
                Ok(calendar) if found.as_ref().is_none_or(|zone| *zone == calendar.zone) => {
                    found = Some(calendar.zone);
                    if !self.draft.schedules.contains(&calendar.schedule) {
                        self.draft.schedules.push(calendar.schedule);
                    }
                    continue;
                }
                Ok(_) => "a job has one zone: make another job of this one".to_owned(),
                Err(message) => message,
            };
            let (source, line, span) = (setting.source, setting.line, setting.span.clone());
            self.troubles.push(Trouble { source, line, span, message, help: None });
            self.remark(setting, "could not be taken over");
        }
        found.flatten()
    }

    fn intervals(&mut self) {
        let lengths = |key: &str| -> Vec<(Setting, Option<u64>)> {
            let found = all(self.settings, "Timer", key);
            found.into_iter().map(|setting| (setting.clone(), span::micros(&setting.value))).collect()
        };
        let (active, inactive) = (lengths("OnUnitActiveSec"), lengths("OnUnitInactiveSec"));
        let boots = ["OnBootSec", "OnStartupSec", "OnActiveSec"].map(lengths);
        for (setting, length) in active {
            match length.filter(|length| *length >= 1_000_000) {
                Some(length) => {
                    self.draft.schedules.push(format!("every {}", span::duration(length)));
                    let what = "counted from its last start; `every` counts from the epoch, whatever ran before";
                    self.remark(&setting, what);
                }
                None => self.remark(&setting, "could not be taken over"),
            }
        }
        for (setting, length) in boots.into_iter().flatten() {
            match length {
                Some(0) => self.boot(&setting, None),
                Some(length) => self.boot(&setting, Some(span::duration(length))),
                None => self.remark(&setting, "could not be taken over"),
            }
        }
        for (setting, length) in inactive {
            match length.filter(|length| *length >= 1_000_000) {
                // It stands alone in its job, and begins when the daemon does.
                Some(length)
                    if self.draft.schedules.iter().all(|schedule| schedule == "@reboot" || schedule == "@start") =>
                {
                    self.draft.schedules = vec![format!("every {} after end", span::duration(length))];
                    self.remark(&setting, "begins with the first such pause after the daemon's start");
                }
                Some(_) => {
                    self.remark(&setting, "could not be taken over beside another schedule; give it a job of its own");
                }
                None => self.remark(&setting, "could not be taken over"),
            }
        }
    }

    fn boot(&mut self, setting: &Setting, pause: Option<String>) {
        let schedule = if setting.key == "OnActiveSec" { "@start" } else { "@reboot" };
        if !self.draft.schedules.iter().any(|known| known == schedule) {
            self.draft.schedules.push(schedule.to_owned());
        }
        if let Some(pause) = pause {
            self.remark(setting, &format!("waited {pause}; `{schedule}` does not wait"));
        }
    }
}
