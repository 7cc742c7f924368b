//! How does another file come into force, or the same one on a machine that has changed?

use std::sync::Arc;

use super::core::Core;
use super::reading::{Outcome, Reread, Right, Wrong};
use super::reloaded::{Reloaded, tell};
use super::waiting::Answer;
use crate::control::{Denial, Denied, FileState};
use crate::notice::Kind;
use crate::plan::{Decision, Record};
use crate::report::{CheckReport, EditReport, ReloadReport};
use crate::run::{EventKind, EventNote};
use crate::store::Trouble;

impl Core {
    /// Somebody wants the file to be taken now. A reading that has begun may have missed what is wanted: another one follows.
    pub(super) async fn reload_asked(&mut self, answer: Option<Answer>) {
        if self.state.drain.is_some() {
            let denied = Denied { denial: Denial::Unavailable, message: "the daemon is stopping".to_owned() };
            if let Some(answer) = answer {
                let _ = answer.send(Err(denied));
            }
            return;
        }
        self.state.asking.extend(answer);
        self.overseer.reloading().await;
        self.reread(Reread::Asked);
    }

    pub(super) fn reread(&mut self, what: Reread) {
        if self.state.drain.is_none() {
            self.rereading.begin(what, self.clock.now());
        }
    }

    pub(super) async fn was_reread(&mut self, what: Reread, outcome: Outcome) {
        if self.state.drain.is_none() {
            match outcome {
                Outcome::Same => {}
                Outcome::Wrong(wrong) => self.refuse(*wrong).await,
                Outcome::Right(right) => self.take(*right, what).await,
            }
        }
        if what == Reread::Asked {
            self.overseer.reloaded().await;
        }
        self.rereading.follow_up(self.clock.now());
    }

    /// What is in force stays so, and everybody is told why.
    async fn refuse(&mut self, wrong: Wrong) {
        let Wrong { message, lines, check } = wrong;
        tracing::error!("{message}; the jobs stay as they were");
        for line in &lines {
            tracing::warn!("{line}");
        }
        let since = self.file.borrow().trouble.as_ref().map_or_else(|| self.clock.now(), |trouble| trouble.since);
        let message = if lines.is_empty() { message } else { format!("{message}:\n{}", lines.join("\n").trim_end()) };
        let before = self.file.borrow().trouble.as_ref().map(|trouble| trouble.message.clone());
        self.file.send_modify(|file| file.trouble = Some(Trouble { since, message: message.clone() }));
        let report = self.reload_report(false, check, EditReport::default());
        tell(std::mem::take(&mut self.state.asking), &report);
        if before.as_ref() != Some(&message) {
            // Its first line is what people see of it first.
            let first = lines.first().and_then(|line| line.strip_prefix("error: "));
            let detail = first.map_or_else(|| message.clone(), |first| format!("{first}\n{message}"));
            self.tell_of_house(Kind::FileWrong, &detail).await;
        }
    }

    /// Puts a right file in force: as far as it differs, all at once, and with it in the ledger that it is.
    async fn take(&mut self, right: Right, what: Reread) {
        let Right { configuration, check, mut edit } = right;
        edit.tell_of(self.planner.unended());
        let now = self.clock.now();
        let mut decision = Decision::default();
        let words: Arc<str> = configuration.in_force(self.rereading.overlay()).into();
        let is_other = words != self.state.in_force;
        // Also where no job comes to anything else: whose history is whose may be said by now.
        if is_other || !edit.is_empty() {
            decision = self.planner.handle_reload(&configuration.checked.jobs, configuration.capacities(), now);
        }
        let path = configuration.path.display().to_string();
        let was_wrong = self.is_mended(&path);
        if is_other || what == Reread::Asked {
            let detail = match what {
                Reread::Surroundings => format!("zone data or calendars have changed: {}", edit.in_words()),
                Reread::Asked | Reread::Noticed | Reread::Looked => format!("reloaded: {}", edit.in_words()),
            };
            let words = configuration.in_force_shown(self.rereading.overlay()).into();
            decision.records.push(Record::InForce { since: now, words });
            decision.records.push(Record::Event(EventNote { at: now, kind: EventKind::Reload, job: None, detail }));
        }
        if is_other {
            self.overseer.put_in_force(words.to_string()).await;
            self.state.in_force = words;
        }
        self.rereading.put_in_force(&configuration);
        self.configuration = Arc::new(configuration);
        self.in_force.send_replace(self.configuration.clone());
        self.note_what_waits();
        let report = self.reload_report(true, check, edit);
        let answers = std::mem::take(&mut self.state.asking);
        if decision.records.is_empty() {
            tell(answers, &report);
        } else {
            let decision = self.commit(decision).await;
            self.state.reloaded.extend(decision.map(|decision| Reloaded { decision, report, answers }));
        }
        if was_wrong {
            self.tell_of_house(Kind::FileRight, &format!("{path} is right again, and in force")).await;
        }
    }

    /// Whether it was wrong before.
    fn is_mended(&mut self, path: &str) -> bool {
        let was_wrong = self.file.borrow().trouble.is_some();
        if was_wrong {
            tracing::info!("{path} is right again");
            self.file.send_modify(|file| file.trouble = None);
        }
        was_wrong
    }

    /// Says which settings the daemon goes on without, whenever there are others.
    fn note_what_waits(&mut self) {
        let at_next_start = self.configuration.settings.for_the_next_start(&self.state.started_with);
        if self.file.borrow().at_next_start == at_next_start {
            return;
        }
        if !at_next_start.is_empty() {
            tracing::warn!("[daemon] {} at the next start", in_a_sentence(&at_next_start));
        }
        self.file.send_modify(|file| file.at_next_start = at_next_start);
    }

    fn reload_report(&self, in_force: bool, check: CheckReport, edit: EditReport) -> ReloadReport {
        let at_next_start = self.file.borrow().at_next_start.iter().map(|key| (*key).to_owned()).collect();
        ReloadReport { in_force, check, edit, at_next_start }
    }

    /// A decision is in the ledger: who waited for it is told.
    pub(super) fn tell_of_reloads(&mut self, decision: &Arc<Decision>) {
        let is_it = |reloaded: &mut Reloaded| Arc::ptr_eq(&reloaded.decision, decision);
        for Reloaded { report, answers, .. } in self.state.reloaded.extract_if(.., is_it) {
            tell(answers, &report);
        }
    }
}

/// `database takes effect`, `database and retention.keep take effect`.
fn in_a_sentence(keys: &[&str]) -> String {
    match keys {
        [] => String::new(),
        [key] => format!("{key} takes effect"),
        [first @ .., last] => format!("{} and {last} take effect", first.join(", ")),
    }
}

impl FileState {
    /// What `systemctl status` says of it.
    pub(super) fn in_short(&self) -> Option<String> {
        let trouble = self.trouble.as_ref()?;
        let first = trouble.message.lines().next().unwrap_or_default();
        Some(format!("{}; ", first.trim_end_matches(':')))
    }
}
