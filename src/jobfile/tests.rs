use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::job::{Task, Work, WrittenTiming};
use crate::schedule::Fold;

struct Bundled;

impl Zones for Bundled {
    fn zone(&self, name: &str) -> Option<Zone> {
        let name = if name == "system" { "UTC" } else { name };
        let zone = jiff::tz::TimeZone::get(name).ok()?;
        Some(Zone { name: name.to_owned(), zone, data: "test".to_owned(), tzif: None })
    }

    fn names(&self) -> Vec<String> {
        ["Europe/Berlin", "Europe/London", "UTC"].map(str::to_owned).to_vec()
    }
}

impl Site for Bundled {
    fn machine_id(&self) -> &'static str {
        "a machine"
    }

    fn text(&self, path: &Path) -> Result<String, String> {
        Err(format!("there is no file {}", path.display()))
    }
}

fn check(text: &str) -> Checked {
    let now = "2026-11-23T00:00:00Z".parse().unwrap();
    Draft::parse(Path::new("/etc/punctual/jobs.toml"), text.to_owned()).check(&Bundled, "system", now)
}

/// The errors of a text as `line:column text-under-the-caret: message (help)`.
fn errors(text: &str) -> Vec<String> {
    let checked = check(text);
    let show = |d: &Diagnostic| {
        let Position { line, column } = checked.source.position(d.span.start);
        let under = &checked.source.text[d.span.clone()];
        format!("{line}:{column} {under}: {} ({})", d.message, d.help.clone().unwrap_or_default())
    };
    checked.said.errors.iter().map(show).collect()
}

fn argv(work: &Work) -> Vec<String> {
    work.act.command().unwrap().argv()
}

#[test]
fn the_smallest_file() {
    let checked = check("[jobs.backup]\nschedule = \"30 2 * * *\"\ncommand = \"pg_dump app\"\n");
    assert!(checked.is_right(), "{:?}", checked.said);
    let job = &checked.jobs[0];
    let Task::Work(command) = &job.task else { panic!() };
    assert_eq!(argv(command), ["/bin/sh", "-ec", "pg_dump app"]);
    assert_eq!((command.timeout, command.output_limit, job.enabled), (None, 1 << 20, true));
    assert_eq!(command.success_codes, [0]);
}

#[test]
fn an_empty_file_is_right_and_has_no_jobs() {
    let checked = check("");
    assert!(checked.is_right() && checked.jobs.is_empty());
}

#[test]
fn defaults_are_inherited_merged_replaced_and_taken_back() {
    let checked = check(
        r#"
[defaults]
timeout = "1h"
env = { A = "1", B = 2 }
success_codes = [0, 3]
[jobs.a]
command = ["true"]
[jobs.b]
command = ["true"]
timeout = "none"
env = { B = true, C = 1.5 }
success_codes = 7
"#,
    );
    assert!(checked.is_right(), "{:?}", checked.said);
    let command = |at: usize| {
        let Task::Work(command) = &checked.jobs[at].task else { panic!() };
        command.clone()
    };
    assert_eq!(command(0).timeout, Some(Duration::from_secs(3600)));
    assert_eq!(command(1).timeout, None);
    let pairs: Vec<_> = command(1).env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(pairs, ["A=1", "B=true", "C=1.5"]);
    let codes = |at: usize| command(at).success_codes.clone();
    assert_eq!((codes(0), codes(1)), (vec![0, 3], vec![7]));
}

#[test]
fn none_takes_every_inherited_default_back() {
    let checked = check(
        "[defaults]\ntimezone = 'Europe/Berlin'\nsuccess_codes = 3\nenv = { A = 1 }\nenv_file = 'x'\ncwd = 'y'\n\
         kill_after = '1s'\noutput_limit = '1KiB'\nshell = ['sh']\n\
         [jobs.a]\ncommand = 'x'\nschedule = '@daily'\ntimezone = 'none'\nsuccess_codes = 'none'\nenv = 'none'\n\
         env_file = 'none'\ncwd = 'none'\nkill_after = 'none'\noutput_limit = 'none'\nshell = 'none'\n\
         [jobs.b]\ncommand = 'x'\nschedule = '@daily'\n",
    );
    assert!(checked.is_right(), "{:?}", checked.said);
    let Task::Work(plain) = &checked.jobs[0].task else { panic!() };
    assert_eq!((plain.env.len(), plain.env_files.len(), plain.cwd.as_ref()), (0, 0, None));
    assert_eq!((plain.success_codes.as_slice(), plain.output_limit), (&[0][..], 1 << 20));
    assert_eq!((plain.kill_after, argv(plain)[0].as_str()), (Duration::from_secs(10), "/bin/sh"));
    let zone = |at: usize| checked.jobs[at].timing.as_ref().unwrap().written.zone.clone();
    assert_eq!((zone(0).as_str(), zone(1).as_str()), ("UTC", "Europe/Berlin"));
}

#[test]
fn relative_paths_are_relative_to_the_file() {
    let checked = check("[jobs.a]\ncommand = \"x\"\ncwd = \"work\"\nenv_file = [\"/abs\", \"rel\"]");
    let Task::Work(command) = &checked.jobs[0].task else { panic!() };
    assert_eq!(command.cwd.as_deref(), Some(Path::new("/etc/punctual/work")));
    assert_eq!(command.env_files, [PathBuf::from("/abs"), PathBuf::from("/etc/punctual/rel")]);
}

#[test]
fn all_errors_come_in_one_pass_each_with_its_place() {
    let text = r#"[daemom]
x = 1
[daemon]
max_running = 0
stop_grace = 30
[daemon.housekeeping]
prune = "every 5m"
[jobs.backup]
schedul = "30 2 * * *"
command = "x"
tiemout = "1h"
timezone = "Europe/Berlim"
overlap = "skipp"
[jobs.b]
schedule = ["0 5 * * *", "5/15 * * * *"]
timeout = "soon"
[jobs."9lives"]
command = []
[jobs.c]
command = 7
enabled = "yes"
success_codes = [0, 300]
"#;
    let found = errors(text);
    let expect = [
        "1:2 daemom: unknown table `daemom` (did you mean [daemon]?)",
        "4:15 0: 0 is out of range (`max_running` goes from 1 to 1000000)",
        "5:14 30: `stop_grace` is a duration, such as \"90s\" or \"1h 30m\", not a whole number (write stop_grace = \"30s\")",
        "7:9 \"every 5m\": housekeeping takes a cron pattern (write for example \"15 3 * * *\", in UTC, or \"none\")",
        "9:1 schedul: unknown key `schedul` (did you mean `schedule`?)",
        "11:1 tiemout: unknown key `tiemout` (did you mean `timeout`?)",
        "12:12 \"Europe/Berlim\": there is no zone `Europe/Berlim` (did you mean \"Europe/Berlin\"?)",
        "13:11 \"skipp\": `skipp` is no overlap (did you mean \"skip\"?)",
        "14:7 b: `jobs.b` has no task (write for example command = \"echo hello\" under [jobs.b])",
        "15:27 5/15: a step needs a range before it; cron implementations disagree about a single number (write `5-59/15`)",
        "16:11 \"soon\": `soon` is no duration (write for example \"250ms\", \"90s\", \"1h 30m\" or \"2d\")",
        "17:7 \"9lives\": a job's name begins with a letter (write [jobs.job-9lives])",
        "18:11 []: `command` is empty (write for example command = [\"program\", \"argument\"])",
        "20:11 7: `command` is a text or a list of texts, not a whole number (write command = \"7\")",
        "21:11 \"yes\": `enabled` is true or false, not a text (write enabled = true)",
        "22:21 300: 300 is out of range (`success_codes` goes from 0 to 255)",
    ];
    assert_eq!(found, expect);
}

#[test]
fn backups_say_when_where_and_how_many() {
    let section = |value: &str| format!("[daemon.housekeeping]\nbackup = {value}\n[jobs.a]\ncommand = \"x\"\n");
    assert!(errors(&section("{ schedule = \"0 4 * * *\", to = \"backups\", keep_last = 7 }")).is_empty());
    assert!(errors(&section("{ schedule = \"none\" }")).is_empty());
    let expect = [
        "2:23 \"every 1h\": housekeeping takes a cron pattern (write for example \"15 3 * * *\", in UTC, or \"none\")",
        "2:47 0: 0 is out of range (`keep_last` goes from 1 to 1000000)",
        "2:50 too: unknown key `too` (did you mean `to`?)",
    ];
    let found = errors(&section("{ schedule = \"every 1h\", keep_last = 0, too = 1 }"));
    assert_eq!(found, expect);
    let found = errors(&section("{ to = \"/mnt\" }"));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("has no `schedule`"), "{found:?}");
    assert!(errors(&section("\"0 4 * * *\""))[0].contains("`backup` is a table, not a text"));
}

#[test]
fn a_duplicate_job_is_an_error_at_its_second_place() {
    let found = errors("[jobs.a]\ncommand = \"x\"\n[jobs.a]\ncommand = \"y\"\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("3:"), "{found:?}");
    assert!(found[0].contains("a second time; the first one is in line 1") && found[0].contains("rename"), "{found:?}");
}

#[test]
fn broken_text_has_one_error_with_a_place() {
    for text in ["[jobs.a", "[jobs.a]\ncommand = \"x", "= 3", "[jobs.a]\ncommand = \n", "\u{0}"] {
        let found = errors(text);
        assert_eq!(found.len(), 1, "{text:?}: {found:?}");
    }
}

#[test]
fn a_schedule_that_never_fires_is_an_error_and_one_that_is_past_a_warning() {
    let found = errors("[jobs.a]\ncommand = \"x\"\nschedule = \"0 0 30 2 *\"\n");
    assert_eq!(found, ["3:17 30 2 *: this schedule never fires: there is no such day in any year it allows ()"]);
    let past = check("[jobs.a]\ncommand = \"x\"\nschedule = \"at 2020-01-01T00:00:00\"\n");
    assert!(past.is_right());
    assert_eq!(past.said.warnings.len(), 1);
}

#[test]
fn a_nul_is_refused_where_a_process_could_not_take_it() {
    for line in
        ["command = \"a\\u0000b\"", "command = [\"a\", \"\\u0000\"]", "command = \"x\"\nenv = { A = \"\\u0000\" }"]
    {
        assert_eq!(errors(&format!("[jobs.a]\n{line}\n")).len(), 1, "{line}");
    }
}

#[test]
fn what_the_ledger_kept_is_read_back() {
    let checked = check("[jobs.a]\ncommand = \"x\"\nschedule = [\"0 5 * * *\"]\ntimezone = \"Europe/Berlin\"\n");
    let timing = checked.jobs[0].timing.as_ref().unwrap();
    let again = timing_from(&timing.written, &Bundled, &Kept::default()).unwrap();
    assert!(timing.same_instants(&again));
    assert_eq!(
        serde_json::to_string(&timing.written.clone()).unwrap(),
        r#"{"schedules":["0 5 * * *"],"zone":"Europe/Berlin"}"#
    );
    let other = check(
        "[defaults]\ndst_gap = 'skip'\ndst_fold = 'both'\n\
         [jobs.a]\ncommand = \"x\"\nschedule = [\"0 5 * * *\"]\ntimezone = \"Europe/Berlin\"\ndst_gap = 'none'\n",
    );
    let other = other.jobs[0].timing.as_ref().unwrap();
    assert!(!timing.same_instants(other), "other rules are another schedule");
    assert_eq!((other.timetable.place.gap, other.timetable.place.fold), (None, Some(Fold::Both)));
    assert!(other.same_instants(&timing_from(&other.written, &Bundled, &Kept::default()).unwrap()));
    let gone = WrittenTiming { zone: "Mars/Olympus".to_owned(), ..timing.written.clone() };
    assert!(timing_from(&gone, &Bundled, &Kept::default()).is_none());
}

#[test]
fn a_starred_day_field_is_a_trap() {
    for (schedule, warnings) in [
        ("0 0 */2 * 1", 1),
        ("0 0 1 * */2", 1),
        ("0 0 */2 * +1", 0),
        ("0 0 */2 * *", 0),
        ("0 0 * * 1", 0),
        ("0 0 1 * 1", 1),
        ("0 0 1 * +1", 0),
    ] {
        let checked = check(&format!("[jobs.a]\ncommand = 'x'\nschedule = '{schedule}'\n"));
        assert!(checked.is_right());
        assert_eq!(checked.said.warnings.len(), warnings, "{schedule}");
    }
}

/// The warnings of a text, those about the year that begins now too, as `text-under-the-caret: message`.
fn warnings(text: &str) -> Vec<String> {
    let mut checked = check(text);
    assert!(checked.is_right(), "{:?}", checked.said);
    checked.warn_of_traps("2026-11-23T00:00:00Z".parse().unwrap());
    let show = |d: &Diagnostic| format!("{}: {}", &checked.source.text[d.span.clone()], d.message);
    checked.said.warnings.iter().map(show).collect()
}

#[test]
fn fixed_times_in_a_gap_or_a_fold_are_traps() {
    let job = "[jobs.a]\nschedule = '30 2 * * *'\ntimezone = 'Europe/Berlin'\ncommand = 'x'\n";
    let said = warnings(job);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("on 2027-03-28 in Europe/Berlin there is no such time"), "{said:?}");
    assert!(said[0].contains("on 2027-10-31 in Europe/Berlin there are two such times"), "{said:?}");
    assert_eq!(warnings(&format!("{job}dst_gap = 'skip'\ndst_fold = 'first'\n")), [""; 0]);
    assert_eq!(warnings(&job.replace("30 2", "30 4")), [""; 0]);
    assert_eq!(warnings(&job.replace("30 2", "*/10 *")), [""; 0]);
}

#[test]
fn a_rush_at_midnight_is_a_trap() {
    let job = |name: usize, extra: &str| format!("[jobs.j{name}]\nschedule = '@daily'\ncommand = 'x'\n{extra}");
    let file = |count: usize| (0..count).map(|name| job(name, "")).collect::<String>();
    assert_eq!(warnings(&file(5)), ["'@daily': 5 jobs start at midnight: j0, j1, j2, j3, j4"]);
    assert_eq!(warnings(&file(4)), [""; 0]);
    assert_eq!(warnings(&(file(4) + &job(9, "jitter = '10m'\n"))), [""; 0]);
}

#[test]
fn traps_have_the_place_of_their_field() {
    let said = warnings("[jobs.a]\nschedule = ['@daily', '* */10 * * * *']\ncommand = 'x'\n");
    assert_eq!(said, ["*: with six fields the first one is the second: this fires every second of its minutes"]);
}

#[test]
fn bounds_calendars_and_jitter_are_read() {
    let checked = check(
        r#"
[calendars.free]
dates = [2026-12-25, "2026-12-27/2027-01-02", "05-01"]
days = ["sat", "Sunday"]
[calendars.night]
hours = ["22:00-06:00", "12:00-13:00"]
[defaults]
jitter = "10m"
not_on = "free"
[jobs.a]
schedule = "0 9 * * *"
not_before = 2026-12-24
not_after = "2027-01-04T09:00"
command = "x"
[jobs.b]
schedule = "0 9 * * *"
not_on = ["free", "night"]
not_on_then = "next-day"
jitter = "none"
command = "x"
"#,
    );
    assert!(checked.is_right(), "{:?}", checked.said);
    let open = |job: usize, from: &str, count: usize| -> Vec<String> {
        let timetable = &checked.jobs[job].timing.as_ref().unwrap().timetable;
        let next = |at: Timestamp| timetable.next_open(at).map(|(at, _)| at);
        let instants = std::iter::successors(next(from.parse().unwrap()), |at| next(*at));
        instants.take(count).map(|at| at.strftime("%m-%d %H").to_string()).collect()
    };
    // The 25th is a holiday, then comes a weekend, then the days between the years; the 3rd is a Sunday.
    assert_eq!(open(0, "2026-01-01T00:00:00Z", 9), ["12-24 09", "01-04 09"]);
    assert_eq!(open(1, "2026-12-23T10:00:00Z", 3), ["12-24 09", "01-04 09", "01-05 09"]);
    assert!(checked.jobs[0].jitter.is_some() && checked.jobs[1].jitter.is_none());
}

#[test]
fn what_is_wrong_with_bounds_and_calendars_has_its_place() {
    let said = errors(
        r#"
[calendars.a]
dates = ["2026-12-32"]
days = ["someday"]
hours = ["25:00-26:00"]
[calendars.b]
file = "gone.ics"
[calendars.c]
[jobs.a]
schedule = ["every 5m after end", "@daily"]
not_before = "tomorrow"
command = "x"
[jobs.b]
schedule = "* * * * *"
not_on = ["holiday"]
command = "x"
[jobs.c]
schedule = "* * * * *"
not_on = ["d"]
not_on_then = "next-day"
not_before = "2027-01-01"
not_after = "2026-01-01"
command = "x"
[calendars.d]
days = "sun"
[jobs.e]
schedule = "at 2026-05-05T12:00:00"
not_before = "2026-06-01"
command = "x"
"#,
    );
    for expect in [
        "3:10 \"2026-12-32\": `2026-12-32` is none of a calendar's dates",
        "4:9 \"someday\": `someday` is none of a calendar's days",
        "5:10 \"25:00-26:00\"",
        "7:8 \"gone.ics\": there is no file /etc/punctual/gone.ics",
        "8:12 c: the calendar `c` has nothing in it",
        "10:13 \"every 5m after end\": `after end` stands alone in its job",
        "11:14 \"tomorrow\": `tomorrow` is no date",
        "15:11 \"holiday\": there is no calendar `holiday`",
        "20:15 \"next-day\": moving to another day is for jobs of a few instants a day",
        "27:12 \"at 2026-05-05T12:00:00\": this schedule never fires: it names no instant between",
    ] {
        assert!(said.iter().any(|said| said.starts_with(expect)), "{expect}: {said:#?}");
    }
    assert_eq!(said.len(), 10, "{said:#?}");
}

#[test]
fn what_is_wrong_with_the_order_of_jobs_has_its_place() {
    let said = errors(
        r#"
[jobs.a]
after = ["b", "gone"]
command = "x"
[jobs.b]
after = "c"
command = "x"
[jobs.c]
after = ["a", "d"]
command = "x"
[jobs.d]
schedule = "@daily"
after = "e"
command = "x"
[jobs.e]
after = "e"
command = "x"
[jobs.f]
after = []
command = "x"
"#,
    );
    for expect in [
        "3:10 \"b\": these jobs wait for each other: a after b after c after a",
        "3:15 \"gone\": there is no job `gone`",
        "12:12 \"@daily\": a job runs by its schedule or after others, not both",
        "16:9 \"e\": `e` waits for itself",
        "19:9 []: `after` is empty",
    ] {
        assert!(said.iter().any(|said| said.starts_with(expect)), "{expect}: {said:#?}");
    }
    assert_eq!(said.len(), 5, "{said:#?}");
}

#[test]
fn a_long_chain_of_jobs_is_checked_without_a_deep_stack() {
    let job = |number: usize| format!("[jobs.j{number}]\nafter = 'j{}'\ncommand = 'x'\n", number + 1);
    let chain: String = (0..20_000).map(job).collect();
    let file = format!("{chain}[jobs.j20000]\nschedule = '@daily'\ncommand = 'x'\n");
    let checked = check(&file);
    assert!(checked.is_right() && checked.jobs.len() == 20_001, "{:?}", checked.said.errors.first());
}

#[test]
fn what_will_never_run_again_is_a_trap() {
    let job = |schedule: &str, more: &str| format!("[jobs.a]\nschedule = '{schedule}'\n{more}\ncommand = 'x'\n");
    let past = "this schedule will not fire again: all its instants are past";
    assert_eq!(
        warnings(&job("every 1h after end", "not_after = 2020-01-01")),
        [format!("'every 1h after end': {past}")]
    );
    assert_eq!(warnings(&job("@start", "not_after = 2020-01-01")), [format!("'@start': {past}")]);
    assert_eq!(warnings(&job("every 1h after end", "not_after = 2030-01-01")), [""; 0]);
    let closed = job("0 * * * *", "not_on = 'all'") + "[calendars.all]\nhours = '00:00-24:00'\n";
    let said = "'0 * * * *': its calendars skip all the instants that this schedule has left";
    assert_eq!(warnings(&closed), [said]);
}

#[test]
fn what_is_wrong_is_answered_with_what_is_right() {
    for (text, expect) in [
        ("*/5 * * * * /bin/sync\n", "a line of a crontab"),
        ("@daily /bin/sync\n", "punctual import crontab"),
        ("[jobs.a]\ncommand: echo hi\n", "(write command = \"echo hi\")"),
        ("[jobs.a]\nretries: 3\ncommand = 'x'\n", "(write retries = 3)"),
        ("[jobs.a]\ncommand = \"date +\\%F\"\n", "(write % alone: it needs no escape here)"),
        ("[jobs.a]\ncommand = 'x'\numask = 022\n", "(write umask = \"022\")"),
        ("[jobs.a]\ncommand = 'x'\nafter = 'b'\n", "(name jobs of this file)"),
        ("[pools]\nx = 0\n[jobs.a]\ncommand = 'x'\npool = 'x'\n", "2:5 0:"),
        ("[jobs.a]\ncommand = 'x'\ntimezone = 'PST'\nschedule = '@daily'\n", "America/Los_Angeles"),
    ] {
        let said = errors(text);
        assert!(said.len() == 1 && said[0].contains(expect), "{text}: {said:?}");
    }
}

#[test]
fn what_is_surprising_is_warned_of() {
    let cwd = warnings("[defaults]\ncwd = '~/x'\n[jobs.a]\ncommand = 'x'\n[jobs.b]\ncommand = 'x'\n");
    assert_eq!(cwd, ["'~/x': `~` is for shells: here it is a folder of this name beside the file"]);
    assert_eq!(warnings(""), [": there is no job in this file, so nothing will run"]);
    assert_eq!(warnings("[jobs.a]\ncommand = ['echo', '$HOME']\n").len(), 1);
}
