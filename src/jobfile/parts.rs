//! What do the steps of a job come to?

use std::sync::Arc;

use super::checker::{Checker, set};
use super::policies::Policies;
use super::raw::RawJob;
use super::section::{At, dotted};
use super::steps::{RawMatrix, RawStep, RawSteps};
use super::surroundings::merged;
use crate::job::{JobName, Needs, Retries, Step, StepName, Steps, Task, Work};

impl Checker<'_> {
    /// What the job does: its work, its steps, or one step for each combination.
    pub fn task(&mut self, path: &str, name: &At<JobName>, raw: &RawJob) -> Option<Task> {
        let stands = |key: &str| raw.stands.iter().find(|(known, _)| *known == key).map(|(_, span)| span.clone());
        if let (Some(steps), Some((task, _))) = (stands("steps"), raw.work.tasks.first()) {
            let help = format!("make a step of `{task}`, or leave one of them out");
            self.said.error(&dotted(path, "steps"), steps, format!("there is `{task}` already"), Some(help));
            return None;
        }
        if let (Some(_), Some(matrix)) = (stands("steps"), stands("matrix")) {
            let help = "give the matrix to a job with a command of its own".to_owned();
            let message = "`matrix` makes steps of a command; this job has steps".to_owned();
            self.said.error(&dotted(path, "matrix"), matrix, message, Some(help));
            return None;
        }
        let (own, inherited) = (&raw.policies, self.defaults);
        let (list, timeout) = if stands("steps").is_some() {
            let timeout = set(own.timeout.as_ref(), inherited.timeout.as_ref());
            (self.steps(path, raw.steps.as_ref()?, own)?, timeout)
        } else if stands("matrix").is_some() {
            // What is said of the command is said of each combination.
            (self.matrix(path, name, raw, raw.matrix.as_ref()?)?, None)
        } else {
            for key in ["keep_going", "max_parallel"] {
                if let Some(span) = stands(key) {
                    let message = format!("`{key}` says nothing of a job without steps");
                    self.said.warn(&dotted(path, key), span, message, None);
                }
            }
            return self.work(path, &name.span, &raw.work, &raw.policies).map(Task::Work);
        };
        Some(Task::Steps(Arc::new(Steps {
            list,
            keep_going: raw.keep_going.as_ref().is_some_and(|at| at.value),
            max_parallel: raw.max_parallel.as_ref().and_then(|at| usize::try_from(at.value).ok()),
            timeout,
            kill_after: self.kill_after(own),
        })))
    }

    fn steps(&mut self, path: &str, steps: &RawSteps, job: &Policies) -> Option<Vec<Step>> {
        let mut list = Vec::with_capacity(steps.list.len());
        let mut wrong = false;
        for raw in &steps.list {
            let path = if steps.in_turn {
                format!("{path}.steps[{}]", list.len())
            } else {
                format!("{path}.steps.{}", raw.name.value)
            };
            let errors = self.said.errors.len();
            let needs = if steps.in_turn { Needs::Turn } else { Needs::Success(raw.needed(steps, &path, self.said)) };
            if raw.always && needs == Needs::Success(Vec::new()) && self.said.errors.len() == errors {
                let help = "write needs = [\"…\"] with the steps after which it cleans up".to_owned();
                let message = "a step that always runs and needs none begins at once".to_owned();
                self.said.warn(&dotted(&path, "always"), raw.name.span.clone(), message, Some(help));
            }
            let work = self.work(&path, &raw.name.span, &raw.work, &over(raw, job));
            let retries = self.retries_of(job, raw.policies.retries.as_ref());
            match work {
                Some(work) if self.said.errors.len() == errors => {
                    let name = StepName::new(&raw.name.value);
                    list.push(Step { name, needs, always: raw.always, work, retries });
                }
                _ => wrong = true,
            }
        }
        if wrong {
            return None;
        }
        self.check_circles(path, steps, &list).then_some(list)
    }

    /// Steps that wait for each other would wait for ever.
    fn check_circles(&mut self, path: &str, steps: &RawSteps, list: &[Step]) -> bool {
        let mut over = vec![false; list.len()];
        loop {
            let ready = |at: &usize| match &list[*at].needs {
                Needs::Success(needs) => needs.iter().all(|need| over[*need]),
                Needs::Turn => true,
            };
            let next: Vec<usize> = (0..list.len()).filter(|at| !over[*at]).filter(ready).collect();
            if next.is_empty() {
                break;
            }
            for at in next {
                over[at] = true;
            }
        }
        let Some(at) = over.iter().position(|over| !over) else {
            return true;
        };
        // Whoever follows the first need that is never over comes into the circle.
        let follow = |at: usize| match &list[at].needs {
            Needs::Success(needs) => needs.iter().copied().find(|need| !over[*need]).unwrap_or(at),
            Needs::Turn => at,
        };
        let inside = (0..list.len()).fold(at, |at, _| follow(at));
        let mut circle = vec![list[inside].name.as_str()];
        let mut next = follow(inside);
        while next != inside {
            circle.push(list[next].name.as_str());
            next = follow(next);
        }
        circle.push(list[inside].name.as_str());
        let span = steps.list[inside].needs.as_ref().map_or(steps.list[inside].name.span.clone(), |at| at.span.clone());
        let message = format!("steps wait for each other: {}", circle.join(" needs "));
        self.said.error(&format!("{path}.steps.{}.needs", circle[0]), span, message, None);
        false
    }

    fn matrix(&mut self, path: &str, name: &At<JobName>, raw: &RawJob, matrix: &RawMatrix) -> Option<Vec<Step>> {
        let work = self.work(path, &name.span, &raw.work, &raw.policies)?;
        if work.act.command().is_none() {
            let span = raw.stands.iter().find(|(key, _)| *key == "matrix").map(|(_, span)| span.clone());
            let help = "its values are variables, which only commands have; write several steps".to_owned();
            let message = "`matrix` makes steps of a command";
            self.said.error(&dotted(path, "matrix"), span.unwrap_or(name.span.clone()), message, Some(help));
            return None;
        }
        let step = |combination: Vec<(&str, &str)>| {
            let words: Vec<String> = combination.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let variables = combination
                .iter()
                .map(|(name, value)| (format!("MATRIX_{}", name.to_uppercase()), (*value).to_owned()));
            let mut surroundings = (*work.surroundings).clone();
            surroundings.env.extend(variables);
            let work = Work { act: work.act.clone(), surroundings: Arc::new(surroundings) };
            let retries = self.retries(&raw.policies);
            Step {
                name: StepName::new(&words.join(",")),
                needs: Needs::Success(Vec::new()),
                always: false,
                work,
                retries,
            }
        };
        Some(matrix.combinations().into_iter().map(step).collect())
    }

    /// Further attempts of a step, with the pauses of its job.
    fn retries_of(&self, job: &Policies, own: Option<&At<i64>>) -> Retries {
        let most = own.and_then(|at| u32::try_from(at.value).ok()).unwrap_or(0);
        Retries { most, ..self.retries(job) }
    }
}

/// A step's keys over its job's. Time-out and retries of the job are of all its steps together.
fn over(step: &RawStep, job: &Policies) -> Policies {
    let own = &step.policies;
    let nothing = || Some(At { value: None, span: step.name.span.clone() });
    let env = At { value: Some(merged(&job.env, &own.env)), span: step.name.span.clone() };
    let says_env = own.env.is_some() || job.env.is_some();
    Policies {
        env: if says_env { Some(env) } else { None },
        cwd: own.cwd.clone().or_else(|| job.cwd.clone()),
        timeout: own.timeout.clone().or_else(nothing),
        success_codes: own.success_codes.clone().or_else(|| job.success_codes.clone()),
        fail_on_output: own.fail_on_output.clone().or_else(|| job.fail_on_output.clone()),
        // What the job says is of all its steps, some of which may have no use for it.
        stands: own.stands.clone(),
        ..job.clone()
    }
}
