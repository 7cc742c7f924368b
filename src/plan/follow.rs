//! Whose success calls for which job?
//!
//! A job that runs after others runs each time when all of these have succeeded since its own last run began.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use crate::job::{Job, JobName};
use crate::run::RunId;

/// How far a job has come, as far as others depend on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// When its last run began.
    pub began: Option<Timestamp>,
    /// When its last success ended, and which run that was.
    pub succeeded: Option<(Timestamp, RunId)>,
}

/// Which jobs run after which.
#[derive(Debug, Default)]
pub struct Follow {
    /// Of each job those that run after it.
    dependents: BTreeMap<JobName, Vec<Arc<Job>>>,
    /// Of jobs that are in `dependents`, on either side.
    progress: BTreeMap<JobName, Progress>,
}

impl Follow {
    /// Takes the order of another file; what is known of jobs that both have stays.
    pub fn set_jobs<'j>(&mut self, jobs: impl IntoIterator<Item = &'j Arc<Job>>) {
        let known = std::mem::take(self);
        for job in jobs.into_iter().filter(|job| job.enabled) {
            for upstream in &job.rules.after {
                self.dependents.entry(upstream.clone()).or_default().push(job.clone());
                for name in [upstream, &job.name] {
                    let progress = known.progress.get(name).copied().unwrap_or_default();
                    self.progress.insert(name.clone(), progress);
                }
            }
        }
    }

    /// A job has another name from now on; which jobs run after it is for [`Follow::set_jobs`] to say.
    pub fn rename(&mut self, from: &JobName, to: &JobName) {
        if let Some(progress) = self.progress.remove(from) {
            self.progress.insert(to.clone(), progress);
        }
    }

    /// What the ledger remembers of a job.
    pub fn remember(&mut self, job: &JobName, progress: Progress) {
        if let Some(known) = self.progress.get_mut(job) {
            *known = progress;
        }
    }

    pub fn began(&mut self, job: &JobName, at: Timestamp) {
        if let Some(progress) = self.progress.get_mut(job) {
            progress.began = Some(at);
        }
    }

    /// A job has succeeded: those that run now, each with the runs that caused it.
    pub fn succeeded(&mut self, job: &JobName, at: Timestamp, run: RunId) -> Vec<(JobName, Vec<RunId>)> {
        let Some(progress) = self.progress.get_mut(job) else {
            return Vec::new();
        };
        progress.succeeded = Some((at, run));
        let complete = |dependent: &Arc<Job>| Some((dependent.name.clone(), self.causes(dependent)?));
        self.dependents(job).iter().filter_map(complete).collect()
    }

    /// The successes since the job's own last run began; `None` if one is missing.
    fn causes(&self, dependent: &Job) -> Option<Vec<RunId>> {
        let began = self.progress.get(&dependent.name).and_then(|progress| progress.began);
        let success = |upstream: &JobName| {
            let (ended, run) = self.progress.get(upstream)?.succeeded?;
            began.is_none_or(|began| ended > began).then_some(run)
        };
        dependent.rules.after.iter().map(success).collect()
    }

    /// The jobs that run after this one.
    fn dependents(&self, job: &JobName) -> &[Arc<Job>] {
        self.dependents.get(job).map_or(&[], Vec::as_slice)
    }

    /// All that cannot run now because a job has failed: those that run after it, and those after them, each once.
    pub fn downstream(&self, job: &JobName) -> Vec<JobName> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut next = VecDeque::from([job]);
        while let Some(job) = next.pop_front() {
            for dependent in self.dependents(job).iter().map(|job| &job.name) {
                if seen.insert(dependent) {
                    found.push(dependent.clone());
                    next.push_back(dependent);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Act, CatchUp, CommandLine, OnLost, Overlap, Retries, Rules, Task, Work};
    use std::time::Duration;

    fn name(text: &str) -> JobName {
        JobName::new(text).unwrap()
    }

    fn job(own: &str, after: &[&str]) -> Arc<Job> {
        let retries = Retries { most: 0, delay: Duration::ZERO, max_delay: Duration::ZERO, no_codes: Vec::new() };
        let rules = Rules {
            overlap: Overlap::Skip,
            pools: [].into(),
            catch_up: CatchUp::Latest,
            catch_up_within: None,
            retries,
            on_lost: OnLost::Kill,
            after: after.iter().map(|upstream| name(upstream)).collect(),
        };
        let act = Act::Command(CommandLine::Program(vec!["x".to_owned()]));
        Arc::new(Job {
            name: name(own),
            formerly: None,
            description: None,
            enabled: true,
            timing: None,
            jitter: None,
            task: Task::Work(Work { act, surroundings: Arc::default() }),
            rules: Arc::new(rules),
            telling: Arc::default(),
        })
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_job_runs_when_all_have_succeeded_since_it_began() {
        let jobs = [job("sales", &[]), job("stock", &[]), job("report", &["sales", "stock"])];
        let mut follow = Follow::default();
        follow.set_jobs(&jobs);
        assert_eq!(follow.succeeded(&name("sales"), at(1), RunId(1)), []);
        assert_eq!(follow.succeeded(&name("sales"), at(2), RunId(2)), []);
        let called = |runs: &[i64]| vec![(name("report"), runs.iter().map(|run| RunId(*run)).collect::<Vec<_>>())];
        assert_eq!(follow.succeeded(&name("stock"), at(3), RunId(3)), called(&[2, 3]));
        follow.began(&name("report"), at(4));
        assert_eq!(follow.succeeded(&name("stock"), at(5), RunId(4)), []);
        // Another file leaves what is known.
        follow.set_jobs(&jobs);
        assert_eq!(follow.succeeded(&name("sales"), at(6), RunId(5)), called(&[5, 4]));
    }

    #[test]
    fn what_cannot_run_is_found_once() {
        let jobs = [job("a", &[]), job("b", &["a"]), job("c", &["a"]), job("d", &["b", "c"]), job("e", &["x"])];
        let mut follow = Follow::default();
        follow.set_jobs(&jobs);
        assert_eq!(follow.downstream(&name("a")), ["b", "c", "d"].map(name));
        assert_eq!(follow.downstream(&name("d")), []);
    }
}
