//! Whom does a job tell, of what, when its own keys, `[defaults]` and what is built in are laid over each other?

use std::sync::Arc;

use super::checker::{Checker, set};
use super::raw::RawJob;
use super::section::dotted;
use crate::job::Telling;

impl Checker<'_> {
    pub fn telling(&mut self, path: &str, raw: &RawJob) -> Arc<Telling> {
        let (own, inherited) = (&raw.policies, self.defaults);
        let channels = match &own.channels {
            Some(names) => self.channels.named(&names.value, &dotted(path, "channels"), self.said),
            None => self.told.clone(),
        };
        let ping = own.ping.as_ref().or(inherited.ping.as_ref());
        let ping = ping.and_then(|at| Some(at.value.clone()?.within(self.source.folder(at.span.start))));
        self.known.telling(Telling {
            channels,
            slow_after: set(own.slow_after.as_ref(), inherited.slow_after.as_ref()),
            overdue_after: set(own.overdue_after.as_ref(), inherited.overdue_after.as_ref()),
            ping,
        })
    }
}
