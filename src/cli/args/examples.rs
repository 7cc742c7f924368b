//! What might one type? Examples of each verb, for its help and its manual page.

type Example = (&'static str, &'static str);

/// What might be typed with a verb, and what it does.
pub fn examples(verb: &str) -> &'static [Example] {
    EXAMPLES.iter().find(|(name, _)| *name == verb).map_or(&[], |(_, examples)| examples)
}

/// The examples as they stand below a verb's help.
pub fn shown(verb: &str) -> String {
    let examples = examples(verb);
    let widest = examples.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
    let lines = examples.iter().map(|(line, what)| format!("  {line:widest$}  {what}\n"));
    if examples.is_empty() {
        String::new()
    } else {
        format!("Examples:\n{}", lines.collect::<String>()).trim_end().to_owned()
    }
}

const EXAMPLES: [(&str, &[Example]); 37] = [
    (
        "daemon",
        &[
            ("punctual daemon", "until Ctrl-C, which lets running jobs finish"),
            ("punctual daemon --config jobs.toml --state ./state", "a file and a ledger of your own"),
        ],
    ),
    (
        "status",
        &[("punctual status", "the daemon, and every job"), ("punctual status --failed", "those that do not work")],
    ),
    (
        "check",
        &[
            ("punctual check", "the file in use"),
            ("punctual check new.toml --strict", "another one; warnings count as errors"),
        ],
    ),
    ("diff", &[("punctual diff", "what a reload would change")]),
    (
        "next",
        &[
            ("punctual next", "the next runs of all jobs"),
            ("punctual next backup -n 10", "ten of one"),
            ("punctual next --expr '0 9 * * mon'", "a schedule that no job has yet"),
        ],
    ),
    (
        "plan",
        &[("punctual plan", "the coming week"), ("punctual plan --days 90 --from monday", "a quarter from then on")],
    ),
    (
        "notices",
        &[
            ("punctual notices", "the newest, and what became of them"),
            ("punctual notices --waiting", "what could not be sent so far, and why"),
        ],
    ),
    ("notices retry", &[("punctual notices retry --all", "at once, now that the mail server is back")]),
    ("notices drop", &[("punctual notices drop 17 18", "two that nobody needs any more")]),
    (
        "history",
        &[
            ("punctual history backup --failed", "when did it fail?"),
            ("punctual history --since yesterday --longer-than 10m", "what took long?"),
            ("punctual history --grep timeout -n all", "who ever wrote this word?"),
        ],
    ),
    (
        "show",
        &[
            ("punctual show 1042", "one run: attempts, steps, output"),
            ("punctual show backup", "a job as it is understood, and its last run"),
        ],
    ),
    (
        "logs",
        &[
            ("punctual logs backup", "what its last run wrote"),
            ("punctual logs -f backup", "what it writes now, until it has ended"),
            ("punctual logs backup --failed -n 20", "the end of its last failure"),
        ],
    ),
    ("stats", &[("punctual stats --since 30d", "how often, how long, how late?")]),
    (
        "why",
        &[
            ("punctual why backup", "what holds it, how did it go, and when is it next?"),
            ("punctual why backup --at 'sunday 3am'", "why did it run then, or not?"),
        ],
    ),
    ("audit", &[("punctual audit --since 7d", "the last week of the ledger")]),
    (
        "run",
        &[
            ("punctual run backup", "now, and go on with your work"),
            ("punctual run backup --wait", "watch it until it has ended"),
            ("punctual run report --due yesterday", "as if it were due then"),
        ],
    ),
    (
        "try",
        &[
            ("punctual try backup", "here, with its output before you; Ctrl-C ends it"),
            ("punctual try backup --env LEVEL=debug", "with one variable more"),
        ],
    ),
    (
        "stop",
        &[
            ("punctual stop 1042", "ask a run to end, and end it after a while"),
            ("punctual stop backup --kill", "end whatever of a job has not ended, at once"),
        ],
    ),
    (
        "pause",
        &[
            ("punctual pause backup --for 2h", "no run of it for two hours"),
            ("punctual pause --all --until monday --reason migration", "none of any job until then"),
        ],
    ),
    ("resume", &[("punctual resume backup", "take its pause back"), ("punctual resume --all", "all pauses")]),
    (
        "skip",
        &[
            ("punctual skip backup", "leave its next run out"),
            ("punctual skip backup -n 3", "the next three"),
            ("punctual skip backup --undo", "leave none out"),
        ],
    ),
    ("reload", &[("punctual reload", "take the file now, and see what changed")]),
    ("notify", &[("punctual notify test ops", "does what the channel ops is told arrive?")]),
    (
        "notify test",
        &[
            ("punctual notify test ops", "all its carriers, with what is said on the way"),
            ("punctual notify test ops --carrier mail", "mail alone"),
        ],
    ),
    ("backup", &[("punctual backup /var/backups/punctual.db", "a copy, while everything goes on")]),
    ("restore", &[("punctual restore /var/backups/punctual.db", "put it in the ledger's place")]),
    (
        "demo",
        &[
            ("punctual demo", "a week of five jobs, in a fresh folder"),
            ("punctual demo --runs 1000000 --into ./large", "a ledger to measure on"),
        ],
    ),
    (
        "init",
        &[("punctual init", "a jobs.toml in this folder"), ("punctual init /etc/punctual", "one for the service")],
    ),
    (
        "completions",
        &[
            ("punctual completions bash > ~/.local/share/bash-completion/completions/punctual", "for bash"),
            ("punctual completions zsh > ~/.zfunc/_punctual", "for zsh, where fpath has ~/.zfunc"),
            ("punctual completions fish > ~/.config/fish/completions/punctual.fish", "for fish"),
        ],
    ),
    (
        "man",
        &[
            ("punctual man", "the page about all of it"),
            ("punctual man run", "the page of one verb"),
            ("punctual man jobs.toml", "every key of the file"),
            ("punctual man --out /usr/local/share/man", "all pages, for man itself"),
        ],
    ),
    ("schema", &[("punctual schema > jobs.schema.json", "for editors that complete and check jobs.toml")]),
    ("import", &[("punctual import crontab > jobs.toml", "your crontab as it would be written here")]),
    (
        "import crontab",
        &[
            ("punctual import crontab > jobs.toml", "your own crontab"),
            ("punctual import crontab cron.txt -o jobs.toml", "a file, into one that was not there"),
            ("punctual import crontab --system --verify 1y", "the machine's, held against cron for a year"),
        ],
    ),
    ("import systemd", &[("punctual import systemd backup.timer", "a timer and its service")]),
    ("notify templates", &[("punctual notify templates /etc/punctual/templates", "all four, to begin with")]),
    ("export", &[("punctual export crontab", "the jobs as a crontab")]),
    (
        "export crontab",
        &[
            ("punctual export crontab", "all jobs of the file in use"),
            ("punctual export crontab > cron.txt", "into a file"),
        ],
    ),
];
