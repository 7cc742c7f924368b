//! `punctual export`: what would these jobs be for cron?

use serde_json::json;

use super::args::Global;
use super::args::{ExportArguments, ExportCrontabArguments, To};
use super::check::read_right;
use super::screen::{Screen, counted};
use super::{Answer, Done};
use crate::clock::Clock;
use crate::files::Machine;
use crate::import::{Style, export_crontab};
use crate::inquiry::chosen;
use crate::jobfile::Zones;

pub fn run(global: &Global, verb: &ExportArguments, screen: &mut Screen) -> Answer {
    match &verb.to {
        To::Crontab(verb) => crontab(global, verb, screen),
    }
}

fn crontab(global: &Global, verb: &ExportCrontabArguments, screen: &mut Screen) -> Answer {
    let configuration = read_right(global, screen)?;
    let jobs = chosen(&configuration.checked.jobs, &verb.jobs)?;
    let jobs: Vec<_> = jobs.iter().map(|job| &**job).collect();
    let zone = Machine::default().zone("system").map_or_else(|| "system".to_owned(), |zone| zone.name);
    let style = Style { with_user: verb.system, zone: &zone, now: Clock::System.now(), cron_tz: verb.cron_tz };
    let exported = export_crontab(&jobs, style);
    if screen.json {
        let lost: Vec<_> = exported.lost.iter().map(|(job, why)| json!({ "job": job, "why": why })).collect();
        screen.value(&json!({ "crontab": exported.text, "lost": lost }));
        return Ok(Done::Well);
    }
    screen.raw(exported.text.as_bytes());
    if !exported.lost.is_empty() {
        let of = counted(jobs.len() as u64, "job");
        screen.note(format!("{} of {of} have no line; the comments say why", exported.lost.len()));
    }
    Ok(Done::Well)
}
