//! How does a process become a job of somebody, within bounds? `punctual shim` sets up what posix_spawn cannot, and execs.
//!
//! It has one thread, so what it sets holds for all of it. Whatever cannot be set ends it with a report: it never goes on
//! with more rights than it was told to have. The pid and the process group stay those that the daemon knows.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit};
use rustix::stdio::{dup2_stdin, stderr, stdin, stdout};

use super::errand::{Errand, Report};
use super::program::{SHIM, locate};
use super::trouble::{Trouble, exec_trouble};
use super::user::Account;
use crate::heritage::{close_descriptors_on_exec, reset_signals};
use crate::run::Reason;

/// As shells say that a command cannot be executed; the daemon goes by the report.
const CANNOT_BEGIN: u8 = 126;
const MISUSED: u8 = 2;

/// Carries out the errand that waits on standard input; comes back only if it cannot.
pub fn shim() -> ExitCode {
    let received = fcntl_dupfd_cloexec(stdin(), 3).map_err(io::Error::from);
    let Ok((socket, (errand, input))) = received.and_then(|socket| Ok((socket, Errand::receive(stdin())?))) else {
        let _ = writeln!(io::stderr(), "`punctual {SHIM}` is for the daemon, which tells it what to start");
        return ExitCode::from(MISUSED);
    };
    let mut shim = Shim { errand, reports: socket.into() };
    let trouble = shim.carry_out(&input);
    let _ = shim.say(&Report::of(&trouble));
    ExitCode::from(CANNOT_BEGIN)
}

struct Shim {
    errand: Errand,
    reports: UnixStream,
}

/// What execve is given.
struct Image {
    program: CString,
    argv: Vec<CString>,
    environment: Vec<CString>,
}

impl Shim {
    fn say(&mut self, report: &Report) -> io::Result<()> {
        self.reports.write_all(&report.line()?)
    }

    /// Sets everything up and execs; what it returns is why it could not.
    fn carry_out(&mut self, input: &OwnedFd) -> Trouble {
        match self.set_up(input) {
            Ok(image) => {
                let error = nix::unistd::execve(&image.program, &image.argv, &image.environment);
                let error = error.map_or_else(io::Error::from, |never| match never {});
                exec_trouble(&error, Path::new(&*image.program.to_string_lossy()))
            }
            Err(trouble) => trouble,
        }
    }

    fn set_up(&mut self, input: &OwnedFd) -> Result<Image, Trouble> {
        if !self.errand.is_of_this_version() {
            return Err(Trouble::new(Reason::Spawn, "punctual was replaced by another version; restart the daemon"));
        }
        let refused = |what: &'static str| move |error: io::Error| Trouble::refused(what, error);
        // From here on a write to a daemon that is gone ends the shim: nothing begins that nobody watches.
        reset_signals().map_err(refused("its signals cannot be reset"))?;
        self.join_cgroup()?;
        let account = self.account()?;
        // After the look-up, which opens files, and before the limit of open files, which this needs one of.
        close_descriptors_on_exec().map_err(refused("its descriptors cannot be closed"))?;
        self.set_what_needs_rights(account.as_ref())?;
        if let Some(account) = &account {
            // What the job opens by name, such as /dev/stderr, is its own then.
            let _ = rustix::fs::fchown(stdout(), Some(uid(account)), None);
            let _ = rustix::fs::fchown(stderr(), Some(uid(account)), None);
            account.become_it()?;
        }
        let image = self.image(account.as_ref())?;
        dup2_stdin(input).map_err(|error| Trouble::refused("its input cannot be put in place", error))?;
        let ready = Report::Ready.line().map_err(refused("it cannot say that it is ready"))?;
        // Last, because it may well be less than the shim itself has.
        let address_space = self.errand.limits.address_space;
        self.limit("memory", Resource::As, address_space)?;
        self.reports.write_all(&ready).map_err(refused("it cannot say that it is ready"))?;
        Ok(image)
    }

    fn join_cgroup(&mut self) -> Result<(), Trouble> {
        let Some(folder) = self.errand.cgroup.clone() else {
            return Ok(());
        };
        let joined = fs::write(folder.join("cgroup.procs"), std::process::id().to_string());
        joined.or_else(|error| self.lack(format!("its cgroup cannot be joined: {error}")))
    }

    /// Whose process it becomes; the daemon's own where neither user nor group is named.
    fn account(&self) -> Result<Option<Account>, Trouble> {
        let Errand { user, group, .. } = &self.errand;
        let named = user.is_some() || group.is_some();
        named.then(|| Account::find(user.as_deref(), group.as_deref())).transpose()
    }

    /// What a user without rights could only lower.
    fn set_what_needs_rights(&mut self, account: Option<&Account>) -> Result<(), Trouble> {
        if let Some(nice) = self.errand.nice {
            let set = rustix::process::setpriority_process(None, nice);
            set.map_err(|error| Trouble::refused(&format!("nice = {nice} cannot be had"), error))?;
        }
        if let Some(bits) = self.errand.umask {
            rustix::process::umask(bits.into());
        }
        let limits = self.errand.limits;
        self.limit("open_files", Resource::Nofile, limits.open_files)?;
        // Before the switch: that is when the kernel looks whether the user has more already, and has the exec fail.
        self.limit("processes", Resource::Nproc, limits.processes)?;
        if limits.processes.is_some() && account.is_none_or(|account| account.uid.is_root()) {
            self.lack("processes are not counted for root without a cgroup".to_owned())?;
        }
        Ok(())
    }

    fn limit(&mut self, key: &str, resource: Resource, value: Option<u64>) -> Result<(), Trouble> {
        let Some(value) = value else {
            return Ok(());
        };
        let set = rustix::process::setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) });
        set.or_else(|error| self.lack(format!("{key} = {value} cannot be had: {}", io::Error::from(error))))
    }

    /// A limit that cannot be had ends it, unless it may go on without.
    fn lack(&mut self, what: String) -> Result<(), Trouble> {
        if self.errand.limits_required {
            return Err(Trouble::new(Reason::Limit, what).about("limits"));
        }
        let said = self.say(&Report::Lacking(what));
        said.map_err(|error| Trouble::refused("it cannot be said what is lacking", error))
    }

    /// What it becomes: looked up as the user that it is by now, in the variables that it gets.
    fn image(&self, account: Option<&Account>) -> Result<Image, Trouble> {
        let Errand { argv, inherited, own, cwd, user, .. } = &self.errand;
        let mut environment: BTreeMap<String, String> = inherited.clone();
        // A group alone makes nobody another user.
        environment.extend(account.filter(|_| user.is_some()).iter().flat_map(|account| account.variables()));
        environment.extend(own.clone());
        let place = locate(argv, cwd.as_deref(), &environment)?;
        let entered = std::env::set_current_dir(&place.cwd);
        entered.map_err(|error| Trouble::refused("its working directory cannot be entered", error).about("cwd"))?;
        let variables = environment.iter().map(|(name, value)| c_text(format!("{name}={value}")));
        Ok(Image {
            program: c_text(place.program.to_string_lossy().into_owned())?,
            argv: argv.iter().map(|word| c_text(word.clone())).collect::<Result<_, _>>()?,
            environment: variables.collect::<Result<_, _>>()?,
        })
    }
}

fn uid(account: &Account) -> rustix::process::Uid {
    rustix::process::Uid::from_raw(account.uid.as_raw())
}

fn c_text(text: String) -> Result<CString, Trouble> {
    CString::new(text).map_err(|_| Trouble::new(Reason::Spawn, "a word or a variable holds a NUL character"))
}
