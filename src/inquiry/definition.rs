//! How is a job defined, when everything is laid over each other? In JSON.

use serde_json::{Value, json};

use crate::job::{
    Act, CommandLine, Job, Limits, Needs, OutputPattern, Overlap, SlowAfter, Step, Steps, Task, Timing, Work,
};
use crate::report::Seconds;
use crate::schedule::{Fold, Gap};

/// A job as resolved, in JSON.
pub fn definition(job: &Job) -> Value {
    let timing = job.timing.as_deref();
    let schedules: Option<Vec<&str>> =
        timing.map(|timing| timing.schedules().iter().map(|schedule| schedule.text()).collect());
    let task = match &job.task {
        Task::Work(work) => work_json(work),
        Task::Steps(steps) => steps_json(steps),
    };
    let rest = json!({
        "description": job.description,
        "enabled": job.enabled,
        "schedule": schedules,
        "in_words": timing.map(in_words),
        "timezone": timing.map(|timing| &timing.written.zone),
        "not_before": timing.and_then(|timing| timing.written.not_before.as_ref()),
        "not_after": timing.and_then(|timing| timing.written.not_after.as_ref()),
        "not_on": timing.map(calendars),
        "not_on_then": timing.map(|timing| timing.written.not_on_then.as_deref().unwrap_or("skip")),
        "jitter": job.jitter.map(|jitter| Seconds::from(jitter.within())),
        "dst_gap": timing.and_then(|timing| timing.timetable.place.gap).and_then(Gap::word),
        "dst_fold": timing.and_then(|timing| timing.timetable.place.fold).and_then(Fold::word),
        "overlap": job.rules.overlap.word(),
        "queue_limit": queue_limit(job),
        "on_lost": job.rules.on_lost.word(),
        "pool": job.rules.pools,
        "after": job.rules.after,
        "retries": job.rules.retries.most,
        "retry_delay": Seconds::from(job.rules.retries.delay),
        "retry_max_delay": Seconds::from(job.rules.retries.max_delay),
        "no_retry_codes": job.rules.retries.no_codes,
        "catch_up": job.rules.catch_up.word(),
        "catch_up_within": job.rules.catch_up_within.map(Seconds::from),
        "channels": job.telling.channels.iter().map(|channel| channel.name.as_str()).collect::<Vec<_>>(),
        "slow_after": job.telling.slow_after.map(slow_after),
        "overdue_after": job.telling.overdue_after.map(Seconds::from),
        "ping": job.telling.ping,
    });
    joined([rest, task])
}

/// A time in seconds, or in words so many times the usual.
fn slow_after(slow: SlowAfter) -> Value {
    match slow {
        SlowAfter::Time(duration) => json!(Seconds::from(duration)),
        SlowAfter::Usual(_) => json!(slow.to_string()),
    }
}

fn joined<const N: usize>(objects: [Value; N]) -> Value {
    let all = objects.into_iter().filter_map(|object| match object {
        Value::Object(map) => Some(map),
        _ => None,
    });
    Value::Object(all.flatten().collect())
}

fn work_json(work: &Work) -> Value {
    let act = match &work.act {
        Act::Command(line @ CommandLine::Shell { text, .. }) => json!({ "command": text, "argv": line.argv() }),
        Act::Command(line @ CommandLine::Program(argv)) => json!({ "command": argv, "argv": line.argv() }),
        Act::Http(http) => json!({ "http": http }),
        Act::Sql(sql) => json!({ "sql": sql }),
        Act::Mail(mail) => json!({ "mail": mail }),
    };
    let env: serde_json::Map<String, Value> =
        work.env.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let surroundings = json!({
        "user": work.standing.user,
        "group": work.standing.group,
        "umask": work.standing.umask.map(|bits| format!("{bits:03o}")),
        "nice": work.standing.nice,
        "limits": limits(&work.standing.limits),
        "cwd": work.cwd,
        "env": env,
        "env_file": work.env_files,
        "stdin": work.stdin,
        "timeout": work.timeout.map(Seconds::from),
        "stop_signal": work.stop_signal.word(),
        "kill_after": Seconds::from(work.kill_after),
        "output_limit": work.output_limit,
        "success_codes": work.success_codes,
        "fail_on_output": work.fail_on_output.as_ref().map(OutputPattern::text),
    });
    joined([act, surroundings])
}

fn steps_json(steps: &Steps) -> Value {
    let one = |step: &Step| {
        let own = json!({
            "name": step.name.as_str(),
            "needs": needs(steps, step),
            "always": step.always,
            "retries": step.retries.most,
        });
        joined([own, work_json(&step.work)])
    };
    json!({
        "steps": steps.list.iter().map(one).collect::<Vec<_>>(),
        "keep_going": steps.keep_going,
        "max_parallel": steps.max_parallel,
        "timeout": steps.timeout.map(Seconds::from),
        "kill_after": Seconds::from(steps.kill_after),
    })
}

/// The names of the steps that a step waits for.
pub fn needs<'s>(steps: &'s Steps, step: &Step) -> Vec<&'s str> {
    let name = |at: usize| steps.list[at].name.as_str();
    match &step.needs {
        Needs::Success(needs) => needs.iter().map(|need| name(*need)).collect(),
        Needs::Turn => {
            let own = steps.list.iter().position(|other| other.name == step.name);
            own.and_then(|own| own.checked_sub(1)).map(name).into_iter().collect()
        }
    }
}

pub fn queue_limit(job: &Job) -> Option<usize> {
    match job.rules.overlap {
        Overlap::Queue { limit } => Some(limit),
        Overlap::Skip | Overlap::Replace | Overlap::Allow => None,
    }
}

fn limits(limits: &Limits) -> Value {
    json!({
        "memory": limits.memory,
        "cpu": limits.cpu.map(|share| format!("{share}%")),
        "processes": limits.processes,
        "open_files": limits.open_files,
        "required": limits.required,
    })
}

pub fn in_words(timing: &Timing) -> Vec<String> {
    timing.schedules().iter().map(|schedule| schedule.in_words()).collect()
}

pub fn calendars(timing: &Timing) -> Vec<&str> {
    timing.written.not_on.iter().map(|calendar| calendar.name.as_str()).collect()
}
