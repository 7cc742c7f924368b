//! In which cgroup does the daemon live? In a leaf of the one that systemd delegates, so that runs can have cgroups of their
//! own beside it.

use std::fs;
use std::io;
use std::path::Path;

/// The child of the delegated cgroup in which the daemon itself lives.
pub const LEAF: &str = "daemon";

/// Moves this process into the leaf, and with it whatever it starts: a cgroup with processes of its own cannot have
/// controlled children. The error says where to.
pub fn move_into_leaf() -> Result<(), (String, io::Error)> {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return Ok(());
    }
    let Ok(groups) = fs::read_to_string("/proc/self/cgroup") else {
        return Ok(());
    };
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let Some(own) = own.filter(|own| own.ends_with(".service")) else {
        return Ok(());
    };
    let leaf = Path::new("/sys/fs/cgroup").join(own).join(LEAF);
    fs::create_dir_all(&leaf)
        .and_then(|()| fs::write(leaf.join("cgroup.procs"), std::process::id().to_string()))
        .map_err(|error| (leaf.display().to_string(), error))
}
