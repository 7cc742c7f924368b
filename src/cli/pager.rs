//! Where does a long answer go on a terminal? Through the person's pager, or through less where it is there.

use std::env;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Leave when all of it fits on the screen, keep colours, leave it on the screen afterwards.
const LESS: &str = "FRX";

/// A pager that shows what is written to it.
pub struct Pager {
    child: Child,
    input: BufWriter<ChildStdin>,
    /// An interrupt is the pager's to understand: as long as this lives it does not end us.
    _interrupts: Option<Signal>,
}

impl Pager {
    /// Starts it; `None` where there is none, or none is wanted.
    pub fn start() -> Option<Self> {
        let wanted = env::var("PAGER").ok();
        let mut command = match wanted.as_deref().map(str::trim) {
            Some("" | "cat") => return None,
            // It may have arguments, and is the shell's to read, as everywhere.
            Some(pager) if is_there(pager) => shell(pager),
            Some(_) => return None,
            None => less()?,
        };
        if env::var_os("LESS").is_none() {
            command.env("LESS", LESS);
        }
        command.stdin(Stdio::piped());
        // Outside of a runtime there is nobody to take an interrupt.
        let interrupts = tokio::runtime::Handle::try_current().ok().and_then(|_| signal(SignalKind::interrupt()).ok());
        let mut child = command.spawn().ok()?;
        let input = BufWriter::new(child.stdin.take()?);
        Some(Self { child, input, _interrupts: interrupts })
    }

    /// `man`, to which a page is written; `None` where there is none.
    pub fn man() -> Option<Self> {
        let mut command = found("man")?;
        command.args(["-l", "-"]).stdin(Stdio::piped());
        let mut child = command.spawn().ok()?;
        let input = BufWriter::new(child.stdin.take()?);
        Some(Self { child, input, _interrupts: None })
    }

    /// Closes its input and waits until the person has read enough.
    pub fn finish(self) -> io::Result<()> {
        let Self { mut child, mut input, _interrupts } = self;
        let flushed = input.flush();
        // Dropped with nothing left to write, or with what nobody reads any more.
        drop(input);
        child.wait()?;
        flushed
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.input.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.input.flush()
    }
}

/// Whether the shell knows the program that a pager's line begins with; what sets a variable first is taken for good.
fn is_there(pager: &str) -> bool {
    let program = pager.split_whitespace().next().unwrap_or_default();
    if program.contains(['=', '$', '"', '\'', '\\', '(', '`']) {
        return true;
    }
    let mut command = shell("command -v -- \"$1\"");
    command.args(["sh", program]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[expect(clippy::disallowed_methods, reason = "no job, and nothing of the daemon's: the person's own program")]
fn shell(pager: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", pager]);
    command
}

fn less() -> Option<Command> {
    let mut command = found("less")?;
    command.arg(format!("-{LESS}"));
    Some(command)
}

/// A program of the person's PATH.
#[expect(clippy::disallowed_methods, reason = "no job, and nothing of the daemon's: the person's own program")]
fn found(program: &str) -> Option<Command> {
    let path = env::var_os("PATH")?;
    let is_program =
        |path: &Path| path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    let found = env::split_paths(&path).map(|folder| folder.join(program)).find(|path| is_program(path))?;
    Some(Command::new(found))
}
