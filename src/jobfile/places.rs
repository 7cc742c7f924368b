//! Where do a job's keys stand, and where do its values come from?

use std::ops::Range;

use super::policies::Policies;
use super::raw::RawJob;
use super::section::At;
use crate::job::JobName;

/// Where in the text a job's keys stand.
#[derive(Debug, Clone)]
pub struct JobPlaces {
    pub name: Range<usize>,
    pub schedule: Option<Range<usize>>,
    pub env_files: Vec<Range<usize>>,
    /// Where the values of its keys come from, where anybody said anything.
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
    let own = |key: &str| raw.stands.iter().find(|(known, _)| *known == key).map(|(_, span)| span.clone());
    JobPlaces {
        origins: origins(raw, defaults),
        name: name.span.clone(),
        schedule: own("schedule"),
        env_files: raw.policies.env_file.iter().flat_map(|at| &at.value).flatten().map(|at| at.span.clone()).collect(),
    }
}

/// Only keys of which anybody said anything.
fn origins(raw: &RawJob, defaults: &Policies) -> Vec<(&'static str, Origin)> {
    let of = |key: &str| (raw.stands.iter().chain(&raw.policies.stands)).find(|(known, _)| *known == key);
    let own = raw.stands.iter().chain(&raw.policies.stands).map(|(key, span)| (*key, Origin::Job(span.clone())));
    let inherited = defaults.stands.iter().filter(|(key, _)| of(key).is_none());
    own.chain(inherited.map(|(key, span)| (*key, Origin::Defaults(span.clone())))).collect()
}
