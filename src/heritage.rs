//! What does a process have from whoever started it that its own children must not get?

use std::io;

use nix::sys::signal::SigSet;

/// Has every signal do what it does by default, and none held back.
pub fn reset_signals() -> io::Result<()> {
    reset_dispositions(None);
    let_signals_through()
}

fn reset_dispositions(except: Option<i32>) {
    for signal in (1..=libc::SIGRTMAX()).filter(|signal| except != Some(*signal)) {
        // KILL, STOP and what the C library keeps for itself refuse, and have no other disposition anyway.
        // SAFETY: SIG_DFL runs no code of ours, so nothing can be called at a wrong moment.
        #[expect(unsafe_code, reason = "no kept crate resets all signals, those of real time too")]
        unsafe {
            libc::signal(signal, libc::SIG_DFL)
        };
    }
}

/// Holds every signal back, also over an exec.
pub fn hold_signals_back() -> io::Result<()> {
    Ok(SigSet::all().thread_set_mask()?)
}

/// Holds no signal back any more.
pub fn let_signals_through() -> io::Result<()> {
    Ok(SigSet::empty().thread_set_mask()?)
}

/// Marks every open descriptor above 2, so that none outlives the next exec.
pub fn close_descriptors_on_exec() -> io::Result<()> {
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        let Some(descriptor) = number.filter(|descriptor| *descriptor > 2) else {
            continue;
        };
        // It may have been the one that read the folder, which is closed by now or is closed anyway.
        // SAFETY: the call changes a flag of the number and touches no memory.
        #[expect(unsafe_code, reason = "these descriptors have no owner in this program")]
        unsafe {
            libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC)
        };
    }
    Ok(())
}

/// What the daemon does once at its start, before any thread: a job that is started without the shim gets from the daemon
/// what the daemon had from its own starter. Signals that are held back stay so until somebody listens to them.
pub fn drop_heritage() -> io::Result<()> {
    // What the language itself ignores: a closed pipe is an error of the write, no end of the process.
    reset_dispositions(Some(libc::SIGPIPE));
    close_descriptors_on_exec()
}
