//! What would keep a command from beginning right now, on this machine? For `check`.

use std::collections::BTreeMap;

use nix::unistd::Uid;

use super::limits::{Controllers, Division};
use super::program::{inherited, locate, own};
use super::trouble::Trouble;
use super::user::Account;
use crate::job::{CommandLine, Work};
use crate::run::Reason;

/// Who would start it.
#[derive(Debug, Clone)]
pub struct Starter {
    pub environment: BTreeMap<String, String>,
    pub is_root: bool,
    pub controllers: Controllers,
}

/// Why the command could not begin now.
pub fn preflight(work: &Work, line: &CommandLine, starter: &Starter) -> Option<Trouble> {
    looked_up(work, line, starter).err()
}

/// Limits that could not be had now, where the job says that it begins without them.
pub fn goes_without(work: &Work, starter: &Starter) -> Option<String> {
    let lacking = lacking(work, starter);
    (!work.standing.limits.required && !lacking.is_empty()).then(|| lacking.join("; "))
}

fn looked_up(work: &Work, line: &CommandLine, starter: &Starter) -> Result<(), Trouble> {
    let standing = &work.standing;
    let mut environment = inherited(&starter.environment);
    let named = standing.user.is_some() || standing.group.is_some();
    let account = named.then(|| Account::find(standing.user.as_deref(), standing.group.as_deref())).transpose()?;
    if let Some(account) = &account {
        let key = if standing.user.is_some() { "user" } else { "group" };
        if !starter.is_root && !account.is_this_process() {
            let text = format!("only a daemon of root can start what runs as `{}`", account.name);
            return Err(Trouble::new(Reason::NoPermission, text).about(key));
        }
        if standing.user.is_some() {
            environment.extend(account.variables());
        }
    }
    if standing.nice.is_some_and(|nice| nice < 0) && !starter.is_root {
        let text = "only a daemon of root can give a negative `nice`";
        return Err(Trouble::new(Reason::NoPermission, text).about("nice"));
    }
    let lacking = lacking(work, starter);
    if standing.limits.required && !lacking.is_empty() {
        return Err(Trouble::new(Reason::Limit, lacking.join("; ")).about("limits"));
    }
    environment.extend(own(work)?);
    let located = locate(&line.argv(), work.cwd.as_deref(), &environment).map(|_| ());
    let is_other = account.is_some_and(|account| account.uid != Uid::effective());
    // What another user may do is not for us to tell; that something is not there is.
    located.or_else(|trouble| if is_other && trouble.reason == Reason::NoPermission { Ok(()) } else { Err(trouble) })
}

fn lacking(work: &Work, starter: &Starter) -> Vec<String> {
    let standing = &work.standing;
    Division::of(&standing.limits, &starter.controllers, standing.counts_user()).lacking
}
