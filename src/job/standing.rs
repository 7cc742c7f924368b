//! As whom, and within which bounds, does a command run?

/// As whom and within which bounds a command's process begins; what is not named stays as the daemon has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Standing {
    pub user: Option<String>,
    pub group: Option<String>,
    /// Permission bits that new files do not get.
    pub umask: Option<u32>,
    /// From -20, the most favoured, to 19.
    pub nice: Option<i32>,
    pub limits: Limits,
}

impl Standing {
    /// Whether it runs as a user whose processes the kernel counts; it does not count root's.
    pub fn counts_user(&self) -> bool {
        self.user.as_deref().is_some_and(|user| user != "root")
    }

    /// Whether nothing has to be set up before the command begins.
    pub fn is_the_daemons(&self) -> bool {
        *self == Self { limits: Limits { required: self.limits.required, ..Limits::default() }, ..Self::default() }
    }
}

/// What the processes of a run may use.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Bytes: of all processes together in a cgroup, of the address space of each without one.
    pub memory: Option<u64>,
    /// Per cent of one core.
    pub cpu: Option<u32>,
    pub processes: Option<u64>,
    /// Of each process.
    pub open_files: Option<u64>,
    /// Whether a run does not start where one of them cannot be had.
    pub required: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: None, cpu: None, processes: None, open_files: None, required: true }
    }
}

/// A signal that asks a process to end, or that programs are known to take so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum StopSignal {
    #[default]
    Term,
    Int,
    Quit,
    Hup,
    Usr1,
    Usr2,
    Winch,
}

impl StopSignal {
    pub const WORDS: [(&'static str, Self); 7] = [
        ("TERM", Self::Term),
        ("INT", Self::Int),
        ("QUIT", Self::Quit),
        ("HUP", Self::Hup),
        ("USR1", Self::Usr1),
        ("USR2", Self::Usr2),
        ("WINCH", Self::Winch),
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
            Self::Quit => "QUIT",
            Self::Hup => "HUP",
            Self::Usr1 => "USR1",
            Self::Usr2 => "USR2",
            Self::Winch => "WINCH",
        }
    }
}
