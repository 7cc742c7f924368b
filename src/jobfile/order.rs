//! Which job runs after which, and does that begin anywhere?

use std::collections::BTreeMap;

use super::diagnostic::Diagnostics;
use super::raw::RawJob;
use super::section::{At, dotted};
use crate::job::JobName;

/// Says what is wrong with `after`: names that are none, jobs that have a schedule too, and circles.
pub fn check_order(jobs: &[(At<JobName>, RawJob)], said: &mut Diagnostics) {
    let order: BTreeMap<&str, &[At<String>]> = jobs
        .iter()
        .map(|(name, raw)| (name.value.as_str(), raw.after.as_ref().map_or(&[][..], |at| at.value.as_slice())))
        .collect();
    for (name, raw) in jobs {
        let Some(after) = &raw.after else {
            continue;
        };
        let key = dotted(&dotted("jobs", name.value.as_str()), "after");
        if let Some(schedule) = &raw.schedule {
            let help = "leave out the schedule, or give it to a job of its own that does the same";
            let message = "a job runs by its schedule or after others, not both";
            said.error(&key, schedule.span.clone(), message, Some(help.to_owned()));
        }
        if after.value.is_empty() {
            let help = Some("leave the key out for a job that is run by hand only".to_owned());
            said.error(&key, after.span.clone(), "`after` is empty", help);
        }
        for other in after.value.iter().filter(|other| !order.contains_key(other.value.as_str())) {
            let help = match said.nearest(&other.value, order.keys().copied().filter(|job| *job != name.value.as_str()))
            {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "name jobs of this file".to_owned(),
            };
            said.error(&key, other.span.clone(), format!("there is no job `{}`", other.value), Some(help));
        }
    }
    for circle in circles(&order) {
        let place = jobs.iter().find(|(name, _)| name.value.as_str() == circle[0]);
        if let Some((name, RawJob { after: Some(after), .. })) = place {
            let key = dotted(&dotted("jobs", name.value.as_str()), "after");
            let names: Vec<&str> = circle.iter().copied().chain([circle[0]]).collect();
            let message = match &names[..] {
                [one, _] => format!("`{one}` waits for itself"),
                names => format!("these jobs wait for each other: {}", names.join(" after ")),
            };
            let next = after.value.iter().find(|at| at.value == names[1]);
            let span = next.map_or(after.span.clone(), |at| at.span.clone());
            said.error(&key, span, message, Some("one of them must begin without the others".to_owned()))
                .note("`after` means: run when these have succeeded; none of them would ever be the first");
        }
    }
}

/// How far the search has come with a job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    OnTheWay,
    Done,
}

/// The circles, each once, from one of its jobs on.
fn circles<'j>(order: &BTreeMap<&'j str, &'j [At<String>]>) -> Vec<Vec<&'j str>> {
    let mut marks: BTreeMap<&str, Mark> = BTreeMap::new();
    let mut found = Vec::new();
    for start in order.keys() {
        // The way from the start, each job with how many of its own it has looked at; a stack of our own, because a file
        // may have a chain of any length.
        let mut way: Vec<(&str, usize)> = Vec::new();
        if !marks.contains_key(start) {
            marks.insert(start, Mark::OnTheWay);
            way.push((start, 0));
        }
        while let Some((job, looked_at)) = way.last_mut() {
            let after: &[At<String>] = order.get(job).copied().unwrap_or_default();
            let Some(next) = after.get(*looked_at).map(|next| next.value.as_str()) else {
                marks.insert(job, Mark::Done);
                way.pop();
                continue;
            };
            *looked_at += 1;
            match (marks.get(next), order.get_key_value(next)) {
                (None, Some((next, _))) => {
                    marks.insert(next, Mark::OnTheWay);
                    way.push((next, 0));
                }
                (Some(Mark::OnTheWay), Some((next, _))) => {
                    let from = way.iter().position(|(job, _)| job == next).unwrap_or(0);
                    found.push(way[from..].iter().map(|(job, _)| *job).collect());
                }
                (Some(Mark::Done), _) | (_, None) => {}
            }
        }
    }
    found
}
