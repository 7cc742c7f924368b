//! How is a job defined, when everything is laid over each other? For `show`, for people.

use std::collections::BTreeSet;

use serde_json::json;

use super::screen::visible;
use crate::inquiry::{calendars, in_words, needs, queue_limit};
use crate::job::{
    Act, Address, Body, CommandLine, Job, JobName, Mail, OnLost, SlowAfter, Standing, Step, Steps, Task, Telling, Work,
};
use crate::schedule::{duration_text, size_text};

fn names(jobs: &[JobName]) -> String {
    jobs.iter().map(JobName::as_str).collect::<Vec<_>>().join(", ")
}

/// What of a job's standing is not the daemon's.
fn standing(standing: &Standing) -> Vec<(&'static str, String)> {
    let Standing { user, group, umask, nice, limits } = standing;
    let mut fields = Vec::new();
    fields.extend(user.as_ref().map(|user| ("user", visible(user))));
    fields.extend(group.as_ref().map(|group| ("group", visible(group))));
    fields.extend(umask.map(|bits| ("umask", format!("{bits:03o}"))));
    fields.extend(nice.map(|nice| ("nice", nice.to_string())));
    let memory = limits.memory.map(|memory| format!("memory {}", size_text(memory)));
    let cpu = limits.cpu.map(|share| format!("cpu {share}%"));
    let processes = limits.processes.map(|number| format!("processes {number}"));
    let open_files = limits.open_files.map(|number| format!("open_files {number}"));
    let all: Vec<String> = [memory, cpu, processes, open_files].into_iter().flatten().collect();
    if !all.is_empty() {
        let otherwise = if limits.required { "" } else { ", where they can be had" };
        fields.push(("limits", format!("{}{otherwise}", all.join(", "))));
    }
    fields
}

/// A job's keys as resolved.
pub fn fields(job: &Job) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if let Some(description) = &job.description {
        fields.push(("description", visible(description)));
    }
    fields.push(("enabled", job.enabled.to_string()));
    match &job.timing {
        Some(timing) => {
            let schedules: Vec<_> = timing.schedules().iter().map(|schedule| schedule.text().to_owned()).collect();
            fields.push(("schedule", visible(&schedules.join("; "))));
            fields.push(("", in_words(timing).join("; ")));
            fields.push(("timezone", timing.written.zone.clone()));
            let written = &timing.written;
            fields.extend(written.not_before.iter().map(|bound| ("not_before", bound.clone())));
            fields.extend(written.not_after.iter().map(|bound| ("not_after", bound.clone())));
            if !written.not_on.is_empty() {
                fields.push(("not_on", visible(&calendars(timing).join(", "))));
                fields.push(("not_on_then", written.not_on_then.clone().unwrap_or_else(|| "skip".to_owned())));
            }
        }
        None if !job.rules.after.is_empty() => fields.push(("after", names(&job.rules.after))),
        None => fields.push(("schedule", "none: by hand only".to_owned())),
    }
    if let Some(jitter) = job.jitter {
        fields.push(("jitter", duration_text(jitter.within())));
    }
    fields.extend(task_fields(&job.task));
    fields.push(("overlap", job.rules.overlap.word().to_owned()));
    fields.extend(queue_limit(job).map(|limit| ("queue_limit", limit.to_string())));
    if job.rules.on_lost != OnLost::Kill {
        fields.push(("on_lost", job.rules.on_lost.word().to_owned()));
    }
    if !job.rules.pools.is_empty() {
        fields.push(("pool", visible(&job.rules.pools.join(", "))));
    }
    let retries = &job.rules.retries;
    fields.push(("retries", retries.most.to_string()));
    if retries.most > 0 {
        fields.push(("retry_delay", duration_text(retries.delay)));
        fields.push(("retry_max_delay", duration_text(retries.max_delay)));
        fields.push(("no_retry_codes", format!("{:?}", retries.no_codes)));
    }
    fields.push(("catch_up", job.rules.catch_up.word().to_owned()));
    if let Some(within) = job.rules.catch_up_within {
        fields.push(("catch_up_within", duration_text(within)));
    }
    fields.extend(telling_fields(&job.telling));
    fields
}

fn telling_fields(telling: &Telling) -> Vec<(&'static str, String)> {
    let names: Vec<&str> = telling.channels.iter().map(|channel| channel.name.as_str()).collect();
    let mut fields = vec![("channels", if names.is_empty() { "none".to_owned() } else { names.join(", ") })];
    fields.extend(telling.slow_after.map(|slow| match slow {
        SlowAfter::Time(duration) => ("slow_after", duration_text(duration)),
        SlowAfter::Usual(_) => ("slow_after", format!("{slow} of its usual p95")),
    }));
    fields.extend(telling.overdue_after.map(|after| ("overdue_after", duration_text(after))));
    fields.extend(telling.ping.as_ref().map(|ping| ("ping", visible(&ping.to_string()))));
    fields
}

fn task_fields(task: &Task) -> Vec<(&'static str, String)> {
    let steps = match task {
        Task::Work(work) => return work_fields(work),
        Task::Steps(steps) => steps,
    };
    let mut fields = Vec::new();
    for step in in_order(steps) {
        let needs = match needs(steps, step).join(", ") {
            needs if needs.is_empty() => String::new(),
            needs => format!(" after {needs}"),
        };
        let always = if step.always { ", always" } else { "" };
        let text = format!("{}: {}{needs}{always}", step.name, act_in_a_line(&step.work.act));
        fields.push(("steps", visible(&text)));
    }
    fields.push(("keep_going", steps.keep_going.to_string()));
    fields.extend(steps.max_parallel.map(|most| ("max_parallel", most.to_string())));
    fields.push(("timeout", steps.timeout.map_or("none".to_owned(), duration_text)));
    fields.push(("kill_after", duration_text(steps.kill_after)));
    fields
}

/// The steps as they run: each behind those that it needs.
fn in_order(steps: &Steps) -> Vec<&Step> {
    let depth = |at: usize| {
        let mut depth = 0;
        let mut front: Vec<usize> = vec![at];
        while !front.is_empty() && depth <= steps.list.len() {
            let needed = |at: usize| needs(steps, &steps.list[at]);
            let names: BTreeSet<&str> = front.iter().flat_map(|at| needed(*at)).collect();
            let is_needed = |at: &usize| names.contains(steps.list[*at].name.as_str());
            front = (0..steps.list.len()).filter(is_needed).collect();
            depth += 1;
        }
        depth
    };
    let mut order: Vec<usize> = (0..steps.list.len()).collect();
    order.sort_by_key(|at| depth(*at));
    order.into_iter().map(|at| &steps.list[at]).collect()
}

/// What is done, in a line.
fn act_in_a_line(act: &Act) -> String {
    match act {
        Act::Command(CommandLine::Shell { text, .. }) => text.to_string(),
        Act::Command(line @ CommandLine::Program(_)) => format!("{:?}", line.argv()),
        Act::Http(http) => format!("http {}", json!(http)),
        Act::Sql(sql) => format!("sql {}", json!(sql)),
        Act::Mail(mail) => format!("mail to {}: {}", addresses(&mail.to), mail.subject.text()),
    }
}

fn mail_fields(mail: &Mail) -> Vec<(&'static str, String)> {
    let mut parts = vec![format!("from {} by {}", mail.from, mail.smtp.url), format!("to {}", addresses(&mail.to))];
    if !mail.cc.is_empty() {
        parts.push(format!("cc {}", addresses(&mail.cc)));
    }
    parts.push(format!("subject: {}", mail.subject.text()));
    match &mail.body {
        Body::Here(body) => parts.extend(body.as_ref().map(|body| format!("body: {}", body.text().trim_end()))),
        Body::File(path) => parts.push(format!("body of {}", path.display())),
    }
    parts.extend(mail.html.as_ref().map(|html| format!("html: {}", html.text().trim_end())));
    parts.extend(mail.attach.iter().map(|path| format!("with {}", path.display())));
    parts.into_iter().map(|part| ("mail", visible(&part))).collect()
}

fn addresses(addresses: &[Address]) -> String {
    addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}

fn work_fields(work: &Work) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    match &work.act {
        Act::Command(line) => fields.push(("command", visible(&format!("{:?}", line.argv())))),
        Act::Http(_) => fields.push(("http", visible(&act_in_a_line(&work.act)))),
        Act::Sql(_) => fields.push(("sql", visible(&act_in_a_line(&work.act)))),
        Act::Mail(mail) => fields.extend(mail_fields(mail)),
    }
    fields.extend(standing(&work.standing));
    fields.push(("cwd", work.cwd.as_ref().map_or("the user's home".to_owned(), |cwd| cwd.display().to_string())));
    for (name, value) in &work.env {
        fields.push(("env", visible(&format!("{name}={value}"))));
    }
    for path in &work.env_files {
        fields.push(("env_file", path.display().to_string()));
    }
    fields.push(("timeout", work.timeout.map_or("none".to_owned(), duration_text)));
    fields.push(("stop_signal", work.stop_signal.word().to_owned()));
    fields.push(("kill_after", duration_text(work.kill_after)));
    fields.push(("output_limit", size_text(work.output_limit)));
    fields.push(("success_codes", format!("{:?}", work.success_codes)));
    fields.extend(work.fail_on_output.as_ref().map(|pattern| ("fail_on_output", visible(pattern.text()))));
    fields
}
