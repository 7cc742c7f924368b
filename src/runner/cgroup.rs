//! Which cgroup does a run get, and what does it say of the run in the end? Plain files of cgroup v2, in the folder that
//! systemd delegates to the daemon.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::limits::Controllers;
use crate::keeper::LEAF;
use crate::run::AttemptId;

const ROOT: &str = "/sys/fs/cgroup";
const PREFIX: &str = "run-";
/// How often, and how long apart, the removal is tried while killed processes are still ending.
const TRIES: u32 = 50;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Where runs get cgroups of their own, if anywhere.
#[derive(Debug, Clone)]
pub struct Cgroups {
    folder: Option<PathBuf>,
    pub controllers: Controllers,
}

impl Cgroups {
    /// The delegated cgroup of this process, if it lives in its leaf.
    pub fn of_this_process() -> Self {
        match delegated(std::process::id()) {
            Ok(folder) => Self::at(folder),
            Err(why_not) => Self { folder: None, controllers: Controllers { why_not, ..Controllers::default() } },
        }
    }

    /// Those in this folder, where all that is there to be controlled is handed down to them.
    pub fn at(folder: PathBuf) -> Self {
        let mut controllers = listed(&folder.join("cgroup.controllers"));
        let hand_down = |name: &str| fs::write(folder.join("cgroup.subtree_control"), format!("+{name}")).is_ok();
        controllers.memory = controllers.memory && hand_down("memory");
        controllers.cpu = controllers.cpu && hand_down("cpu");
        controllers.pids = controllers.pids && hand_down("pids");
        "its controller is not delegated to the daemon".clone_into(&mut controllers.why_not);
        Self { folder: Some(folder), controllers }
    }

    /// A cgroup for a run or a step, with these values in its files.
    pub fn make(&self, id: AttemptId, files: &[(&'static str, String)]) -> io::Result<RunGroup> {
        let folder = self.folder.as_ref().ok_or(io::ErrorKind::NotFound)?.join(name(id));
        fs::create_dir(&folder)?;
        let group = RunGroup { folder };
        for (file, value) in files {
            fs::write(group.folder.join(file), value)?;
        }
        Ok(group)
    }

    /// The one that was made for a run or a step before, if it has one.
    pub fn find(&self, id: AttemptId) -> Option<RunGroup> {
        let folder = self.folder.as_ref()?.join(name(id));
        folder.exists().then_some(RunGroup { folder })
    }

    /// Ends and removes what runs of a daemon that died have left, but for those that go on.
    pub fn sweep(&self, kept: &[AttemptId]) {
        let kept: Vec<String> = kept.iter().map(|id| name(*id)).collect();
        let entries = self.folder.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let is_left = |name: &str| name.starts_with(PREFIX) && !kept.iter().any(|kept| kept == name);
        for entry in entries.filter(|entry| is_left(&entry.file_name().to_string_lossy())) {
            drop(RunGroup { folder: entry.path() });
        }
    }
}

fn name(id: AttemptId) -> String {
    let AttemptId { run, step, step_attempt, .. } = id;
    if step == 0 { format!("{PREFIX}{run}") } else { format!("{PREFIX}{run}-{step}-{step_attempt}") }
}

/// What can be controlled in the cgroups that the daemon with this number gives to its runs, or, where none runs, what this
/// machine could delegate.
pub fn controllers_of(daemon: Option<u32>) -> Controllers {
    let (file, why_not) = match daemon.map(delegated) {
        Some(Ok(folder)) => (folder.join("cgroup.subtree_control"), "its controller is not delegated to the daemon"),
        Some(Err(why_not)) => return Controllers { why_not, ..Controllers::default() },
        None => (Path::new(ROOT).join("cgroup.controllers"), "this machine has no such controller of cgroup v2"),
    };
    Controllers { why_not: why_not.to_owned(), ..listed(&file) }
}

fn listed(file: &Path) -> Controllers {
    let text = fs::read_to_string(file).unwrap_or_default();
    let has = |name: &str| text.split_ascii_whitespace().any(|word| word == name);
    Controllers { memory: has("memory"), cpu: has("cpu"), pids: has("pids"), why_not: String::new() }
}

/// The cgroup beside whose leaf with this process there is room for runs, or why there is none.
fn delegated(pid: u32) -> Result<PathBuf, String> {
    if !Path::new(ROOT).join("cgroup.controllers").exists() {
        return Err("this machine has no cgroup v2 of its own".to_owned());
    }
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let parent = Path::new(own).parent().filter(|_| own.ends_with(&format!("/{LEAF}")));
    let parent = parent.map(|parent| Path::new(ROOT).join(parent));
    parent.ok_or_else(|| "no cgroup is delegated to the daemon, as systemd does by Delegate=yes".to_owned())
}

/// The cgroup of one run; it goes, with all that is still in it, when this is dropped.
#[derive(Debug)]
pub struct RunGroup {
    folder: PathBuf,
}

/// What the processes of a cgroup have used, all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    pub cpu: Option<Duration>,
    /// Peak memory in bytes.
    pub memory: Option<u64>,
}

impl RunGroup {
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kills all that is in it, whatever group or environment it has.
    pub fn kill(&self) {
        // An old kernel has no such file; the process group was killed in any case.
        let _ = fs::write(self.folder.join("cgroup.kill"), "1");
    }

    /// Ends what is left in it and removes it, and says what was used.
    pub async fn close(self) -> Used {
        let used = self.used();
        self.kill();
        for _ in 0..TRIES {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => tokio::time::sleep(BETWEEN_TRIES).await,
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!("the cgroup {} cannot be removed: {error}", self.folder.display());
                    break;
                }
            }
        }
        used
    }

    fn used(&self) -> Used {
        let read = |file: &str| fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        let microseconds = read("cpu.stat").lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse().ok());
        Used { cpu: microseconds.map(Duration::from_micros), memory: read("memory.peak").trim().parse().ok() }
    }
}

impl Drop for RunGroup {
    fn drop(&mut self) {
        if self.folder.exists() {
            self.kill();
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunId;

    fn whole(run: i64) -> AttemptId {
        AttemptId::whole(RunId(run), 1)
    }

    #[test]
    fn a_delegated_folder_hands_down_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cgroup.controllers"), "cpuset memory pids\n").unwrap();
        let cgroups = Cgroups::at(folder.path().to_owned());
        assert!(cgroups.controllers.memory && cgroups.controllers.pids && !cgroups.controllers.cpu);
        assert_eq!(fs::read_to_string(folder.path().join("cgroup.subtree_control")).unwrap(), "+pids");
        let group = cgroups.make(whole(7), &[("memory.max", "4096".to_owned())]).unwrap();
        let path = folder.path().join("run-7");
        assert_eq!(group.folder(), path);
        assert_eq!(fs::read_to_string(path.join("memory.max")).unwrap(), "4096");
        assert!(cgroups.make(whole(7), &[]).is_err(), "a run has one");
        fs::write(path.join("memory.peak"), "2048\n").unwrap();
        fs::write(path.join("cpu.stat"), "usage_usec 1500000\nuser_usec 1\n").unwrap();
        let used = Used { cpu: Some(Duration::from_millis(1500)), memory: Some(2048) };
        assert_eq!(group.used(), used);
        drop(group);
        assert_eq!(fs::read_to_string(path.join("cgroup.kill")).unwrap(), "1");
    }

    /// A real one, where this machine has the second version and we are root; it needs no controller.
    #[tokio::test]
    async fn what_is_left_in_a_cgroup_goes_with_it() {
        let roots = [ROOT, "/sys/fs/cgroup/unified"].map(Path::new);
        let root = roots.into_iter().find(|root| root.join("cgroup.procs").exists());
        let folder = root.map(|root| root.join(format!("punctual-test-{}", std::process::id())));
        let Some(folder) = folder.filter(|folder| fs::create_dir(folder).is_ok()) else {
            eprintln!("no cgroup can be made here: their removal was not tried");
            return;
        };
        let cgroups = Cgroups::at(folder.clone());
        let group = cgroups.make(whole(1), &[]).unwrap();
        #[allow(clippy::disallowed_methods)]
        let mut child = std::process::Command::new("sleep").arg("300").spawn().unwrap();
        fs::write(group.folder().join("cgroup.procs"), child.id().to_string()).unwrap();
        let path = group.folder().to_owned();
        let used = group.close().await;
        let status = child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
        assert!(used.cpu.is_some() && !path.exists());
        cgroups.make(whole(2), &[]).map(std::mem::forget).unwrap();
        cgroups.sweep(&[]);
        assert!(!folder.join("run-2").exists());
        fs::remove_dir(folder).unwrap();
    }
}
