//! Where do a job's keys stand, and where do its values come from?

use std::ops::Range;

use super::raw::{Policies, RawJob};
use super::section::At;
use crate::job::JobName;

/// Where in the text a job's keys stand.
#[derive(Debug, Clone)]
pub struct JobPlaces {
    pub name: Range<usize>,
    pub schedule: Option<Range<usize>>,
    pub command: Option<Range<usize>>,
    pub cwd: Option<Range<usize>>,
    pub env_files: Vec<Range<usize>>,
    /// Where the values of its keys come from.
    pub origins: Vec<(&'static str, Origin)>,
}

/// Where a value of a job comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    BuiltIn,
    /// The place in `[defaults]`.
    Defaults(Range<usize>),
    /// The place in the job's own table.
    Job(Range<usize>),
}

impl JobPlaces {
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.iter().find(|(known, _)| *known == key).map_or(&Origin::BuiltIn, |(_, origin)| origin)
    }
}

pub(super) fn job_places(name: &At<JobName>, raw: &RawJob, defaults: &Policies) -> JobPlaces {
    JobPlaces {
        origins: origins(raw, defaults),
        name: name.span.clone(),
        schedule: raw.schedule.as_ref().map(|at| at.span.clone()),
        command: raw.command.as_ref().map(|at| at.span.clone()),
        cwd: raw.policies.cwd.as_ref().map(|at| at.span.clone()),
        env_files: raw.policies.env_file.iter().flat_map(|at| &at.value).flatten().map(|at| at.span.clone()).collect(),
    }
}

fn origins(raw: &RawJob, defaults: &Policies) -> Vec<(&'static str, Origin)> {
    let own = |span: Option<Range<usize>>| span.map_or(Origin::BuiltIn, Origin::Job);
    let (job, inherited) = (raw.policies.places(), defaults.places());
    let policies = job.into_iter().zip(inherited).map(|((key, job), (_, inherited))| match (job, inherited) {
        (Some(span), _) => (key, Origin::Job(span)),
        (None, Some(span)) => (key, Origin::Defaults(span)),
        (None, None) => (key, Origin::BuiltIn),
    });
    let keys = [
        ("description", own(raw.description.as_ref().map(|at| at.span.clone()))),
        ("enabled", own(raw.enabled.as_ref().map(|at| at.span.clone()))),
        ("schedule", own(raw.schedule.as_ref().map(|at| at.span.clone()))),
        ("not_before", own(raw.not_before.as_ref().map(|at| at.span.clone()))),
        ("not_after", own(raw.not_after.as_ref().map(|at| at.span.clone()))),
        ("after", own(raw.after.as_ref().map(|at| at.span.clone()))),
        ("command", own(raw.command.as_ref().map(|at| at.span.clone()))),
        ("stdin", own(raw.stdin.as_ref().map(|at| at.span.clone()))),
    ];
    keys.into_iter().chain(policies).collect()
}
