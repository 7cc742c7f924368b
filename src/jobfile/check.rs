//! What does a job come to, when its own keys, `[defaults]` and what is built in are laid over each other?

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Zone;
use super::checker::{Checker, pick, set};
use super::policies::Policies;
use super::raw::RawJob;
use super::section::{At, dotted};
use crate::job::{CatchUp, Job, JobName, Overlap, Retries, Rules};
use crate::schedule::Jitter;

const DEFAULT_RETRY_DELAY: Duration = Duration::from_secs(10);
const DEFAULT_RETRY_MAX_DELAY: Duration = Duration::from_secs(300);

impl Checker<'_> {
    pub fn job(
        &mut self,
        name: &At<JobName>,
        raw: &RawJob,
        default_zone: Option<&Zone>,
        now: Timestamp,
    ) -> Option<Job> {
        let path = dotted("jobs", name.value.as_str());
        let errors = self.said.errors.len();
        let task = self.task(&path, name, raw);
        let timing = self.timing(&name.value, raw, default_zone, now);
        let (own, inherited) = (&raw.policies, self.defaults);
        let job = Job {
            name: name.value.clone(),
            formerly: raw.formerly.as_ref().map(|at| at.value.clone()),
            description: raw.description.as_ref().map(|at| at.value.as_str().into()),
            enabled: raw.enabled.as_ref().is_none_or(|at| at.value),
            timing,
            jitter: set(own.jitter.as_ref(), inherited.jitter.as_ref())
                .map(|within| Jitter::new(within, self.site.machine_id(), name.value.as_str())),
            task: task?,
            rules: self.rules(&path, raw),
            telling: self.telling(&path, raw),
        };
        (self.said.errors.len() == errors).then_some(job)
    }

    fn rules(&mut self, path: &str, raw: &RawJob) -> Arc<Rules> {
        let (own, inherited) = (&raw.policies, self.defaults);
        let rules = Rules {
            overlap: self.overlap(path, raw),
            pools: self.pools(path, raw),
            catch_up: pick(own.catch_up.as_ref(), inherited.catch_up.as_ref()).unwrap_or(CatchUp::Latest),
            catch_up_within: set(own.catch_up_within.as_ref(), inherited.catch_up_within.as_ref()),
            // Those of a matrix are of each combination.
            retries: match &raw.matrix {
                None => self.retries(&raw.policies),
                Some(_) => Retries { most: 0, ..self.retries(&raw.policies) },
            },
            on_lost: pick(own.on_lost.as_ref(), inherited.on_lost.as_ref()).unwrap_or_default(),
            // Names that are none were complained about with the order of jobs.
            after: raw.after.iter().flat_map(|at| &at.value).filter_map(|at| JobName::new(&at.value).ok()).collect(),
        };
        self.known.rules(rules)
    }

    pub fn retries(&self, own: &Policies) -> Retries {
        let inherited = self.defaults;
        let codes = set(own.no_retry_codes.as_ref(), inherited.no_retry_codes.as_ref()).unwrap_or_default();
        let most = pick(own.retries.as_ref(), inherited.retries.as_ref()).unwrap_or(0);
        let delay = set(own.retry_delay.as_ref(), inherited.retry_delay.as_ref()).unwrap_or(DEFAULT_RETRY_DELAY);
        let max_delay = set(own.retry_max_delay.as_ref(), inherited.retry_max_delay.as_ref());
        Retries {
            most: u32::try_from(most).unwrap_or(0),
            delay,
            // Who asks for a longer pause means it.
            max_delay: max_delay.unwrap_or(DEFAULT_RETRY_MAX_DELAY.max(delay)),
            no_codes: codes.into_iter().filter_map(|code| i32::try_from(code).ok()).collect(),
        }
    }

    fn overlap(&mut self, path: &str, raw: &RawJob) -> Overlap {
        let (own, inherited) = (&raw.policies, self.defaults);
        let overlap = pick(own.overlap.as_ref(), inherited.overlap.as_ref()).unwrap_or(Overlap::Skip);
        let limit = own.queue_limit.as_ref().or(inherited.queue_limit.as_ref());
        match (overlap, limit) {
            (Overlap::Queue { .. }, Some(limit)) => {
                Overlap::Queue { limit: usize::try_from(limit.value).unwrap_or(usize::MAX) }
            }
            (_, Some(limit)) if own.queue_limit.is_some() => {
                let help = Some("write overlap = \"queue\" too, or leave it out".to_owned());
                let message = format!("`queue_limit` says nothing where overlap is \"{}\"", overlap.word());
                self.said.warn(&dotted(path, "queue_limit"), limit.span.clone(), message, help);
                overlap
            }
            (overlap, _) => overlap,
        }
    }

    /// The pools of a job, each once and in one order for all jobs.
    fn pools(&mut self, path: &str, raw: &RawJob) -> Arc<[String]> {
        let named = set(raw.policies.pool.as_ref(), self.defaults.pool.as_ref()).unwrap_or_default();
        for pool in named.iter().filter(|pool| !self.pools.contains_key(&pool.value)) {
            let help = match self.said.nearest(&pool.value, self.pools.keys().map(String::as_str)) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("write [pools] with {} = 1 in it, or how many may go at once", pool.value),
            };
            let message = format!("there is no pool `{}`", pool.value);
            self.said.error(&dotted(path, "pool"), pool.span.clone(), message, Some(help));
        }
        let sorted: BTreeSet<String> = named.into_iter().map(|pool| pool.value).collect();
        sorted.into_iter().collect()
    }
}
