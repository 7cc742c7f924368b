//! The first minute: an empty folder, a word of another tool, a job that is tried, a key that completes, a page of the manual.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::{Place, is_alive, pids, wait};

/// A person who has just installed it: an empty folder, which is home, too.
struct Newcomer {
    home: tempfile::TempDir,
}

impl Newcomer {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).current_dir(self.home.path()).stdin(Stdio::null());
        for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "PUNCTUAL_CONFIG", "NOTIFY_SOCKET", "RUNTIME_DIRECTORY"] {
            command.env_remove(name);
        }
        // Of root the ledger would be the machine's.
        command.env("HOME", self.home.path()).env("STATE_DIRECTORY", self.path("state")).env("TZ", "UTC");
        command
    }

    fn types(&self, words: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_punctual"), words).output().unwrap()
    }

    /// What is said on standard error, and the exit code.
    fn told(&self, words: &[&str]) -> (String, i32) {
        let output = self.types(words);
        (text(&output.stderr), output.status.code().unwrap())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_error_of_a_beginner_ends_with_the_line_to_type_next() {
    let newcomer = Newcomer::new();
    for (words, code, end) in [
        (&["status"][..], 1, "begin one with: punctual init"),
        (&["check"], 1, "begin one with: punctual init"),
        (&["next"], 1, "begin one with: punctual init"),
        (&["plan"], 1, "begin one with: punctual init"),
        (&["daemon"], 1, "begin one with: punctual init"),
        (&["try", "hello"], 1, "begin one with: punctual init"),
        (&["show", "hello"], 1, "begin one with: punctual init"),
        (&["why", "hello"], 1, "begin one with: punctual init"),
        (&["show", "7"], 3, "start one with: punctual daemon"),
        (&["history"], 3, "start one with: punctual daemon"),
        (&["logs", "hello"], 3, "start one with: punctual daemon"),
        (&["stats"], 3, "start one with: punctual daemon"),
        (&["audit"], 3, "start one with: punctual daemon"),
        (&["backup", "copy.db"], 3, "start one with: punctual daemon"),
        (&["--state", "a b", "history"], 3, "start one with: punctual --state 'a b' daemon"),
        (&["logs"], 2, "for example: punctual logs backup"),
        (&["edit"], 2, "to begin one, type: punctual init"),
        (&["man", "histroy"], 2, "did you mean: punctual man history"),
    ] {
        let (said, exit) = newcomer.told(words);
        assert!(said.trim_end().ends_with(end) && exit == code, "{words:?}: {exit}: {said}");
    }
    assert!(newcomer.types(&["init"]).status.success());
    let config = newcomer.path("jobs.toml");
    for (words, code, end) in [
        (&["init"][..], 1, format!("type: punctual check {}", config.display())),
        (&["next", "helo"], 1, "did you mean hello? type: punctual next hello".to_owned()),
        (&["try", "--raw", "helo"], 1, "did you mean hello? type: punctual try --raw hello".to_owned()),
        (&["try", "xyzzy"], 1, "the jobs are listed by: punctual status".to_owned()),
        (&["hello"], 2, "to run it, type: punctual run hello".to_owned()),
        (&["remove", "hello"], 2, format!("type: ${{EDITOR:-vi}} {}", config.display())),
    ] {
        let (said, exit) = newcomer.told(words);
        assert!(said.trim_end().ends_with(&end) && exit == code, "{words:?}: {exit}: {said}");
    }
}

#[test]
fn words_of_other_tools_are_answered_with_the_whole_line() {
    let newcomer = Newcomer::new();
    for (words, end) in [
        (&["list"][..], "`list` is `status` here; type: punctual status\n"),
        (&["--json", "tail", "-n", "5", "two words"], "type: punctual --json logs -f -n 5 'two words'\n"),
        (&["why", "hello", "yesterday"], "type: punctual why hello --at yesterday\n"),
        (&["lint", "new.toml", "--strict"], "type: punctual check new.toml --strict\n"),
        (&["histroy"], "did you mean: punctual history\n"),
    ] {
        let (said, exit) = newcomer.told(words);
        assert!(said.ends_with(end) && exit == 2, "{words:?}: {exit}: {said}");
    }
}

#[test]
fn the_first_file_is_right_works_and_is_never_written_over() {
    let newcomer = Newcomer::new();
    let output = newcomer.types(&["init"]);
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("  punctual try hello "), "{said}");
    let config = newcomer.path("jobs.toml");
    let written = fs::read_to_string(&config).unwrap();
    let output = newcomer.types(&["check", "--strict"]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    let output = newcomer.types(&["try", "hello"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("Hello from hello, due at 20"), "{output:?}");
    assert!(!newcomer.path("state").exists(), "what is tried leaves nothing");
    fs::write(&config, "# mine\n").unwrap();
    assert_eq!(newcomer.types(&["init"]).status.code(), Some(1));
    assert_eq!(newcomer.types(&["init", "."]).status.code(), Some(1));
    assert_eq!(fs::read_to_string(&config).unwrap(), "# mine\n");
    // Another folder, which is made; the next line names it.
    let output = newcomer.types(&["init", "a/b"]);
    let there = newcomer.path("a/b/jobs.toml");
    assert!(text(&output.stdout).contains(&format!("punctual --config {} try hello", there.display())));
    assert_eq!(fs::read_to_string(&there).unwrap(), written);
    // A link to nowhere is no free place.
    std::os::unix::fs::symlink("/nowhere/at/all", newcomer.path("link.toml")).unwrap();
    assert_eq!(newcomer.types(&["init", "link.toml"]).status.code(), Some(1));
    let report: Value = serde_json::from_slice(&newcomer.types(&["init", "c.toml", "--json"]).stdout).unwrap();
    assert_eq!(report["jobs"][0], "hello");
}

/// The same job by hand, by `try` and by the daemon: what it sees is the same.
#[test]
fn what_is_tried_runs_as_the_daemon_runs_it() {
    let place = Place::new(
        "[jobs.look]\nschedule = '@start'\nstdin = \"some input\\n\"\numask = '027'\nnice = 3\ncwd = '/tmp'\n\
         env = { A = '1' }\nlimits = { open_files = 100 }\n\
         command = 'env | grep -v -e ^PUNCTUAL_RUN -e ^PUNCTUAL_DUE -e ^PUNCTUAL_CAUSE | sort; umask; nice; ulimit -n; \
         pwd; cat; echo complaint >&2'\n",
    );
    let secret = |command: &mut Command| command.env("SECRET", "x").stdin(Stdio::null()).output().unwrap();
    let tried = secret(&mut place.command(&["try", "look"]));
    assert!(tried.status.success(), "{tried:?}");
    assert!(!place.path("state").exists());
    let daemon = place.start();
    assert_eq!(place.ended("look")["outcome"], "succeeded");
    // As it is recorded, both streams are one text.
    assert_eq!(format!("{}complaint\n", text(&tried.stdout)), place.text(&["logs", "look"]));
    let said = text(&tried.stderr);
    assert!(said.starts_with("complaint\nlook succeeded after ") && !text(&tried.stdout).contains("SECRET"), "{said}");
    // Where a daemon runs, it is that one's environment.
    let mut command = place.command(&["try", "look", "--env", "B=2"]);
    let output = command.env("LANG", "xx_XX").stdin(Stdio::null()).output().unwrap();
    assert_eq!(text(&output.stdout).replace("B=2\n", ""), text(&tried.stdout));
    assert!(text(&output.stdout).contains("\nB=2\n"));
    assert_eq!(place.entries_of("look").len(), 1, "what is tried is recorded nowhere");
    daemon.stop();
}

#[test]
fn how_it_ends_is_the_last_line_and_the_exit_code() {
    let place = Place::new(
        "[jobs.code]\ncommand = 'printf torn; exit 42'\nretries = 2\n[jobs.late]\ntimeout = '300ms'\ncommand = 'sleep 20'\n\
         [jobs.gone]\ncommand = ['no-such-program']\n[jobs.three]\nsuccess_codes = [0, 3]\ncommand = 'exit 3'\n\
         [jobs.sql.sql]\ndatabase = ':memory:'\nstatements = 'SELECT 1 AS one'\n\
         [jobs.steps]\nsteps.a = { command = 'echo from a' }\nsteps.b = { command = 'echo from b >&2; exit 4' }\n\
         steps.c = { command = 'true', needs = ['b'] }\n",
    );
    for (job, code, last) in [
        ("code", 1, "code failed after "),
        ("code", 1, ": exit status 42\n"),
        ("late", 1, ": still running after 300ms; ended by TERM\n"),
        ("gone", 1, "gone not-started: there is no program `no-such-program` in the job's PATH\n"),
        ("three", 0, ": exit status 3\n"),
        ("sql", 0, "sql succeeded after "),
        ("steps", 1, ": step b: exit status 4\n"),
    ] {
        let output = place.run(&["try", job]);
        let said = text(&output.stderr);
        let end = said.lines().last().unwrap().to_owned() + "\n";
        assert!(end.contains(last) && output.status.code() == Some(code), "{job}: {:?}: {said}", output.status);
    }
    let output = place.run(&["try", "code"]);
    assert_eq!(text(&output.stdout), "torn\n");
    assert!(text(&output.stderr).starts_with("one attempt is made here; the daemon would make up to 3\n"));
    let steps = place.run(&["try", "steps"]);
    assert!(text(&steps.stdout).contains("── a ──\nfrom a\n"), "{steps:?}");
    assert!(text(&steps.stderr).contains("step c skipped: "), "{steps:?}");
    let lines = text(&place.run(&["try", "code", "--json"]).stdout);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["text"], &lines[0]["run"]), (&"torn".into(), &Value::Null));
    assert_eq!((&lines[1]["outcome"], &lines[1]["exit_code"]), (&"failed".into(), &42.into()));
    let visible = Place::new("[jobs.evil]\ncommand = \"printf '\\\\033[2Jx'\"\n");
    assert_eq!(text(&visible.run(&["try", "evil"]).stdout), "^[[2Jx\n");
    assert_eq!(text(&visible.run(&["try", "evil", "--raw"]).stdout), "\u{1b}[2Jx");
}

#[test]
fn an_interrupt_ends_the_whole_tree_as_a_stop_does() {
    let place = Place::new(
        "[jobs.tree]\nkill_after = '10s'\ncommand = '''trap 'echo asked; exit 5' TERM\necho $$ >> pids\n\
         setsid sh -c 'echo $$ >> pids; exec sleep 600' &\nsleep 600 & echo $! >> pids\necho ready; wait'''\ncwd = '.'\n\
         [jobs.stubborn]\nkill_after = '10m'\ncommand = \"trap '' TERM; echo $$ >> stubborn; while :; do sleep 1; done\"\n\
         cwd = '.'\n",
    );
    for (job, file, processes, signals, end) in [
        ("tree", "pids", 3, &["INT"][..], "ended with exit status 5"),
        ("stubborn", "stubborn", 1, &["TERM", "INT"], "ended by KILL"),
    ] {
        let mut command = place.command(&["try", job]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let tree = wait("the tree", || Some(pids(&place.path(file))).filter(|pids| pids.len() == processes));
        for signal in signals {
            support::signal_process(i32::try_from(child.id()).unwrap(), signal);
            // Two signals that come at once may be heard as one.
            wait("it is heard", || (signals.len() == 1 || is_waiting(child.id())).then_some(()));
        }
        let status = wait("its end", || child.try_wait().unwrap());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(status.code() == Some(1) && said.trim_end().ends_with(end), "{job}: {said}");
        assert!(said.contains(&format!("{job} stopped after ")), "{said}");
        for pid in tree {
            wait("the end of all of it", || (!is_alive(pid)).then_some(()));
        }
    }
}

/// Whether no signal waits to be taken by this process.
fn is_waiting(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let pending = status.lines().filter(|line| line.starts_with("SigPnd") || line.starts_with("ShdPnd"));
    pending.filter_map(|line| line.split_whitespace().nth(1)).all(|mask| mask.chars().all(|c| c == '0'))
}

#[test]
fn nothing_is_tried_beside_a_run_unless_it_is_said() {
    let place = Place::new(
        "[jobs.long]\nschedule = '@start'\ncommand = 'echo $PUNCTUAL_RUN; [ $PUNCTUAL_RUN -lt 0 ] || sleep 600'\n",
    );
    let daemon = place.start();
    place.wait_for("long", |entry| entry["state"] == "running");
    let output = place.run(&["try", "long"]);
    let said = text(&output.stderr);
    assert!(
        output.status.code() == Some(1)
            && said.contains("run 1 of long goes on")
            && said.trim_end().ends_with("--beside")
    );
    let output = place.run(&["try", "long", "--beside"]);
    assert!(output.status.success() && text(&output.stdout).starts_with('-'), "{output:?}");
    daemon.signal("TERM");
    daemon.stop();
    // What a daemon has left behind is no run that goes on.
    assert!(place.run(&["try", "long"]).status.success());
}

/// What a shell with our script makes of a line, by a program of its own.
fn completed(newcomer: &Newcomer, shell: &str, script: &str) -> String {
    let path = format!("{}:{}", Path::new(env!("CARGO_BIN_EXE_punctual")).parent().unwrap().display(), env!("PATH"));
    let mut command = newcomer.command(shell, &["-c", script]);
    let output = command.env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{shell}: {output:?}");
    text(&output.stdout)
}

fn is_here(program: &str) -> bool {
    let found = Command::new("/bin/sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
    if !found.status.success() {
        eprintln!("not tested: there is no {program} here");
    }
    found.status.success()
}

/// A folder with jobs, and a ledger of a week.
fn acquainted() -> Newcomer {
    let newcomer = Newcomer::new();
    assert!(newcomer.types(&["demo", "--days", "1", "--into", "state"]).status.success());
    assert!(newcomer.types(&["init"]).status.success());
    newcomer
}

#[test]
fn bash_completes_verbs_flags_jobs_runs_and_files() {
    let newcomer = acquainted();
    let newest =
        newcomer.types(&["--state", "state", "history", "--sql", "SELECT max(run) FROM runs", "--format", "csv"]);
    let newest = text(&newest.stdout);
    let digit = &newest.lines().last().unwrap()[..1];
    let script = format!(
        "source <(punctual completions bash)\n\
        type_in() {{ COMP_WORDS=(\"$@\"); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=(); _punctual; echo \"${{COMPREPLY[*]}}\"; }}\n\
        type_in punctual stat\ntype_in punctual try hel\ntype_in punctual history --outcome = fa\n\
        type_in punctual history --failed --fa\ntype_in punctual --col\ntype_in punctual show {digit}\ntype_in punctual nonsense x\n\
        complete -p punctual"
    );
    let found = completed(&newcomer, "bash", &script);
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines[..5], ["status stats", "hello", "failed", "", "--color"], "{found}");
    assert!(lines[5].split(' ').all(|run| run.starts_with(digit)) && lines[5].len() > 1, "{found}");
    assert_eq!(lines[6..], ["", "complete -o nosort -F _punctual punctual"], "{found}");
}

#[test]
fn fish_completes_with_words_about_each() {
    if !is_here("fish") {
        return;
    }
    let newcomer = acquainted();
    let script = "punctual completions fish | source; complete -C 'punctual stat'; complete -C 'punctual try hel'; \
                  complete -C 'punctual check jo'; complete -C 'punctual --config=jo'";
    let found = completed(&newcomer, "fish", script);
    let lines: Vec<&str> = found.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(lines, ["status", "stats", "hello", "jobs.toml", "--config=jobs.toml"], "{found}");
    assert!(found.starts_with("status\tHow are "), "{found}");
}

#[test]
fn zsh_completes_at_a_press_of_the_key() {
    if !is_here("zsh") {
        return;
    }
    let newcomer = acquainted();
    // A terminal of zsh's own, in which somebody types.
    let script = r#"zmodload zsh/zpty
        zpty shell zsh -f -i
        until_seen() { zpty -r shell seen "*$1*" }
        zpty -w shell 'PS1=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -d zcompdump; source <(punctual completions zsh); print -r -- rea""dy'
        until_seen ready
        zpty -w -n shell $'punctual try hel\t'
        until_seen 'try hello'
        zpty -w -n shell $'\C-upunctual --config=jobs.to\t'
        until_seen '=jobs.toml'
        print -r -- done"#;
    assert_eq!(completed(&newcomer, "zsh", script), "done\n");
}

#[test]
fn what_completes_is_silent_whatever_is_wrong() {
    let newcomer = Newcomer::new();
    fs::write(newcomer.path("jobs.toml"), b"[jobs.right]\ncommand = 1\n[jobs.\xff").unwrap();
    fs::create_dir(newcomer.path("state")).unwrap();
    fs::write(newcomer.path("state/punctual.db"), "no database").unwrap();
    for words in [
        &["2", "--", "punctual", "show", ""][..],
        &["99", "--", "punctual"],
        &["0", "--"],
        &["1", "--", "punctual", "é\u{1b}"],
    ] {
        let all: Vec<&str> = ["complete", "bash"].iter().chain(words).copied().collect();
        let output = newcomer.types(&all);
        assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
    }
    // Half a file still has jobs in it.
    fs::write(newcomer.path("jobs.toml"), "[jobs.right]\ncommand = 1\n[jobs.half").unwrap();
    let output = newcomer.types(&["complete", "bash", "2", "--", "punctual", "try", ""]);
    assert_eq!(text(&output.stdout).lines().next(), Some("half"));
}

#[test]
fn there_is_a_page_for_each_verb_and_for_the_file() {
    let newcomer = Newcomer::new();
    let output = newcomer.types(&["man", "--out", "man"]);
    assert!(output.status.success(), "{output:?}");
    let written = text(&output.stdout);
    assert!(written.contains("man/man1/punctual.1\n") && written.contains("man/man5/jobs.toml.5\n"), "{written}");
    let read = text(&newcomer.types(&["man", "run"]).stdout);
    assert!(read.starts_with("NAME\n") && read.contains("--wait\n"), "{read}");
    let page = text(&newcomer.types(&["man", "jobs.toml", "--roff"]).stdout);
    assert_eq!(page, fs::read_to_string(newcomer.path("man/man5/jobs.toml.5")).unwrap());
    if !is_here("groff") {
        return;
    }
    for path in written.lines() {
        let mut groff = newcomer.command("groff", &["-man", "-ww", "-z", "-Tutf8", path]);
        let output = groff.output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{path}: {}", text(&output.stderr));
    }
    let mut groff = newcomer.command("groff", &["-man", "-Tutf8", "-P-cbou"]);
    let mut child = groff.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let shown = text(&child.wait_with_output().unwrap().stdout);
    assert!(shown.contains("schedule = \"30 2 * * *\"") && shown.contains("not_on, not_on_then"), "{shown}");
}
