//! By what is each limit of a job held: by a cgroup of its own, by the process itself, or by nothing here?

use serde::{Deserialize, Serialize};

use crate::job::Limits;

/// Microseconds in which a share of a core is counted, the kernel's own default.
const CPU_PERIOD: u64 = 100_000;

/// What can be limited in the cgroups that are given to runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Controllers {
    pub memory: bool,
    pub cpu: bool,
    pub pids: bool,
    /// Why not more.
    pub why_not: String,
}

/// Limits that a process sets for itself and its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OwnLimits {
    pub address_space: Option<u64>,
    /// Of its user, all together.
    pub processes: Option<u64>,
    pub open_files: Option<u64>,
}

/// How the limits of a job are held here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Division {
    /// Files of the run's cgroup, and what is written into them.
    pub cgroup: Vec<(&'static str, String)>,
    pub own: OwnLimits,
    /// What cannot be had, and why.
    pub lacking: Vec<String>,
}

impl Division {
    /// `counts_user`: it runs as a user other than root, whose processes the kernel counts.
    pub fn of(limits: &Limits, controllers: &Controllers, counts_user: bool) -> Self {
        let mut division = Self::default();
        division.own.open_files = limits.open_files;
        match limits.memory {
            Some(bytes) if controllers.memory => division.cgroup.push(("memory.max", bytes.to_string())),
            bytes => division.own.address_space = bytes,
        }
        match limits.cpu {
            Some(share) if controllers.cpu => {
                let quota = u64::from(share) * CPU_PERIOD / 100;
                division.cgroup.push(("cpu.max", format!("{quota} {CPU_PERIOD}")));
            }
            Some(share) => division.lack(&format!("cpu = \"{share}%\" needs a cgroup"), controllers),
            None => {}
        }
        match limits.processes {
            Some(number) if controllers.pids => division.cgroup.push(("pids.max", number.to_string())),
            Some(number) if counts_user => division.own.processes = Some(number),
            Some(number) => {
                let what = format!("processes = {number} needs a cgroup, or a user other than root");
                division.lack(&what, controllers);
            }
            None => {}
        }
        division
    }

    /// The same where no cgroup could be made after all.
    pub fn without_cgroup(limits: &Limits, why_not: String, counts_user: bool) -> Self {
        Self::of(limits, &Controllers { why_not, ..Controllers::default() }, counts_user)
    }

    fn lack(&mut self, what: &str, controllers: &Controllers) {
        self.lacking.push(format!("{what} ({})", controllers.why_not));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(controllers: &Controllers, counts_user: bool) -> Division {
        let limits = Limits {
            memory: Some(1 << 20),
            cpu: Some(50),
            processes: Some(8),
            open_files: Some(64),
            ..Limits::default()
        };
        Division::of(&limits, controllers, counts_user)
    }

    #[test]
    fn a_cgroup_holds_all_but_files() {
        let all = Controllers { memory: true, cpu: true, pids: true, why_not: String::new() };
        let division = divided(&all, true);
        let files = [("memory.max", "1048576"), ("cpu.max", "50000 100000"), ("pids.max", "8")];
        assert_eq!(division.cgroup, files.map(|(file, value)| (file, value.to_owned())));
        assert_eq!(division.own, OwnLimits { open_files: Some(64), ..OwnLimits::default() });
        assert_eq!(division.lacking, [""; 0]);
    }

    #[test]
    fn without_one_the_process_holds_what_it_can() {
        let none = Controllers { why_not: "no cgroup".to_owned(), ..Controllers::default() };
        let division = divided(&none, true);
        assert_eq!((division.own.address_space, division.own.processes), (Some(1 << 20), Some(8)));
        assert_eq!(division.lacking, ["cpu = \"50%\" needs a cgroup (no cgroup)"]);
        let division = divided(&none, false);
        assert_eq!(division.own.processes, None);
        assert_eq!(division.lacking.len(), 2);
        let memory_only = Controllers { memory: true, ..none };
        assert_eq!(divided(&memory_only, true).own.address_space, None);
    }
}
