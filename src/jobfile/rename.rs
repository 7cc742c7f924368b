//! Which job had another name before?

use std::collections::{HashMap, HashSet};

use super::diagnostic::Diagnostics;
use super::raw::RawJob;
use super::section::{At, dotted};
use crate::job::JobName;

/// Says what is wrong with `formerly`: a history can go to one job only, and not to one while another has its name. A name of
/// which nothing is known is none: the file may be a new one on this machine, or has done its work long ago.
pub fn check_names(jobs: &[(At<JobName>, RawJob)], said: &mut Diagnostics) {
    let renamed = || jobs.iter().filter_map(|(name, raw)| Some((name, raw.formerly.as_ref()?)));
    if renamed().next().is_none() {
        return;
    }
    let names: HashSet<&JobName> = jobs.iter().map(|(name, _)| &name.value).collect();
    let mut heirs: HashMap<&JobName, &JobName> = HashMap::new();
    for (name, formerly) in renamed() {
        let key = dotted(&dotted("jobs", name.value.as_str()), "formerly");
        let old = &formerly.value;
        let (message, help) = if *old == name.value {
            (format!("`{old}` is its name now"), "leave the key out, or write the name that it had before".to_owned())
        } else if names.contains(old) {
            let help = "a job keeps its history under the new name once the old name is free: rename the other one first, or \
                        leave the key out";
            (format!("there is still a job `{old}`"), help.to_owned())
        } else if let Some(heir) = heirs.insert(old, &name.value) {
            (
                format!("`{heir}` was `{old}` already"),
                "the history goes to one of them; leave the key out of the other".to_owned(),
            )
        } else {
            continue;
        };
        said.error(&key, formerly.span.clone(), message, Some(help));
    }
}
