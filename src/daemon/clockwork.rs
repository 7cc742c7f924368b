//! Was the clock set? The loop compares what it shows with the time that passed whenever it wakes.

use std::time::Duration;

use jiff::SignedDuration;

use super::core::Core;
use crate::clock::{Woken, instant};
use crate::plan::Lapse;

/// Differences between the clock and the time that passed that are not called a step: reading the two takes time, and a
/// clock is also slewed.
const SMALLEST_STEP: SignedDuration = SignedDuration::from_millis(100);
/// When the clock was set and the ledger cannot be asked about it, it is asked again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Core {
    /// Compares what the clock shows with the time that passed, and tells the planner if it was set.
    pub(super) async fn look_at_the_clock(&mut self, woken: Woken) {
        if self.writer.trouble().borrow().is_some() {
            // The ledger must be asked, and must take the answer.
            self.state.look_again = Some(instant() + LOOK_AGAIN_AFTER);
            return;
        }
        let (now, elapsed) = (self.clock.now(), self.clock.elapsed());
        let (then, elapsed_then) = self.state.seen;
        self.state.look_again = None;
        let passed = SignedDuration::try_from(elapsed.saturating_sub(elapsed_then)).unwrap_or(SignedDuration::ZERO);
        let step = now.duration_since(then) - passed;
        let was_set = woken == Woken::ClockSet && step.abs() >= SMALLEST_STEP;
        if !was_set && now >= self.planner.latest() {
            self.state.seen = (now, elapsed);
            return;
        }
        tracing::warn!("the clock was set {} by {:#}", if step.is_negative() { "back" } else { "forward" }, step.abs());
        self.state.lapse = Lapse::ClockSet;
        self.clock_sets.send_modify(|sets| *sets += 1);
        // The ledger is asked what it says of times to come; all that is decided must be in it.
        if !self.settle_decisions().await {
            self.state.look_again = Some(instant() + LOOK_AGAIN_AFTER);
            return;
        }
        match self.reader.ahead(now, &self.configuration.machine).await {
            Ok(ahead) => {
                self.state.seen = (now, elapsed);
                let decision = self.planner.handle_clock_set(now, step, ahead);
                self.commit(decision).await;
            }
            Err(error) => {
                tracing::error!("the ledger cannot be read after the clock was set: {error}");
                self.state.look_again = Some(instant() + LOOK_AGAIN_AFTER);
            }
        }
    }

    /// Waits until all that is decided is in the ledger; the answer is whether it is.
    async fn settle_decisions(&mut self) -> bool {
        let mut trouble = self.writer.trouble();
        while !self.state.uncommitted.is_empty() {
            tokio::select! {
                answer = self.answers.recv() => match answer {
                    Some(answer) => self.committed(answer).await,
                    None => return false,
                },
                Ok(message) = trouble.wait_for(Option::is_some) => {
                    drop(message);
                    return false;
                }
            }
        }
        true
    }
}
