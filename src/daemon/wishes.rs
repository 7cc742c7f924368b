//! What becomes of what people wish by the control socket?

use super::core::Core;
use super::reread::Reread;
use crate::control::{Ask, Denial, Denied, Granted, Wish};
use crate::report::{CheckReport, ReloadReport};

impl Core {
    #[expect(clippy::unused_async, reason = "what follows from a wish is committed")]
    pub(super) async fn wished(&mut self, ask: Ask) {
        let answer = match ask.wish {
            Wish::Reload => {
                self.reread(Reread::File);
                let check = CheckReport::default();
                Ok(Granted::Reloaded(Box::new(ReloadReport { in_force: true, check })))
            }
            Wish::Run { .. }
            | Wish::StopRun { .. }
            | Wish::StopJob { .. }
            | Wish::Pause { .. }
            | Wish::Resume { .. }
            | Wish::Skip { .. }
            | Wish::Unskip { .. } => {
                let message = "this daemon cannot do that yet".to_owned();
                Err(Denied { denial: Denial::Unavailable, message })
            }
        };
        // Whoever does not wait any more does not need to know.
        let _ = ask.answer.send(answer);
    }
}
