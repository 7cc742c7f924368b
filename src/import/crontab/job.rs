//! What would this entry be here? Entries become drafts of jobs; what cannot be taken over is said.

use super::super::name::{Names, name_of_command, name_of_title};
use super::super::quote::in_remark;
use super::super::sheet::{Act, Common, Draft, Sheet, Trouble, Value};
use super::{Entry, Line, Origin, Table, Variable};
use crate::job::Address;
use crate::jobfile::{Zones, nearest};
use crate::schedule::Schedule;

/// What became of crontabs.
#[derive(Debug, Clone)]
pub struct Imported {
    pub sheet: Sheet,
    /// What is wrong with lines that were left behind.
    pub troubles: Vec<Trouble>,
    /// For each job the five fields as cron reads them; `None` where it names no instants by them.
    pub fields: Vec<Option<String>>,
    /// Whether a job's time is one that cron chooses at random.
    pub random: Vec<bool>,
    pub(in super::super) names: Names,
}

/// A comment that is longer is no description.
const LONGEST_DESCRIPTION: usize = 120;
/// Marks with which headings are drawn.
const MARKS: [char; 6] = ['=', '-', '#', '*', '~', '_'];

/// What cron does with every job.
fn common() -> Vec<Common> {
    let texts = |texts: &[&str]| Value::Texts(texts.iter().map(|text| (*text).to_owned()).collect());
    vec![
        Common {
            key: "shell",
            value: texts(&["/bin/sh", "-c"]),
            why: "as cron has it; the usual -ec ends a command at its first failure",
        },
        Common {
            key: "overlap",
            value: Value::text("allow"),
            why: "cron starts a job beside its last run; \"skip\" is the usual",
        },
        Common {
            key: "catch_up",
            value: Value::text("none"),
            why: "cron forgets what it missed; \"latest\" makes up for it",
        },
    ]
}

/// Makes jobs of crontabs, in their order.
pub fn import_crontabs(origins: &[Origin], zones: &dyn Zones) -> Imported {
    let mut writing = Writing {
        imported: Imported {
            sheet: Sheet { common: common(), ..Sheet::default() },
            troubles: Vec::new(),
            fields: Vec::new(),
            random: Vec::new(),
            names: Names::default(),
        },
        zones,
        of_one: origins.len() == 1,
        loose: Vec::new(),
        channels: Vec::new(),
    };
    if origins.len() > 1 {
        let head = "From several crontabs. What means something else here has a note above it.";
        writing.imported.sheet.head.push(head.to_owned());
    }
    for (source, origin) in origins.iter().enumerate() {
        let table = Table::read(source, origin);
        if origins.len() > 1 {
            writing.part();
            writing.loose.push(format!("From {}", origin.text.label));
            writing.loose.push(String::new());
        }
        writing.table(source, origin, table);
    }
    writing.finish()
}

struct Writing<'z> {
    imported: Imported,
    zones: &'z dyn Zones,
    of_one: bool,
    /// Comments that wait for the next job.
    loose: Vec<String>,
    /// Who gets mail, for each draft; `Some("")` for nobody, `None` where nothing is said.
    channels: Vec<Option<String>>,
}

impl Writing<'_> {
    /// A blank line before the next comments.
    fn part(&mut self) {
        if self.loose.last().is_some_and(|last| !last.is_empty()) {
            self.loose.push(String::new());
        }
    }

    fn table(&mut self, source: usize, origin: &Origin, table: Table) {
        let label = &origin.text.label;
        let head = &mut self.imported.sheet.head;
        if self.of_one {
            head.push(format!("From {}. What means something else here has a note above it.", in_remark(label)));
        }
        if origin.text.had_mark {
            head.push(format!("{label} begins with a byte order mark, over which cron stumbles; it was left out."));
        }
        if table.had_returns {
            head.push(format!(
                "{label} has Windows line ends, which cron would hand to the commands; they were left out."
            ));
        }
        if let Some(line) = table.unended {
            head.push(format!(
                "{label}: line {line} has no line end, and Debian's cron ignores it; it was taken over."
            ));
        }
        self.imported.troubles.extend(table.troubles);
        let has_zone = |line: &Line| match line {
            Line::Entry(entry) => entry.variables.iter().any(|variable| variable.name == "CRON_TZ"),
            Line::Blank | Line::Comment(_) | Line::Disabled { .. } | Line::Variable | Line::Wrong => false,
        };
        if table.lines.iter().any(has_zone) {
            head.push(format!(
                "{label}: CRON_TZ is followed here, as cronie and the BSDs do; Debian's cron ignores it and goes by the \
                 machine's zone: leave it out for what ran there."
            ));
        }
        let entries = table.lines.iter().filter(|line| matches!(line, Line::Entry(_))).count();
        let hint = origin.name.as_deref().filter(|_| entries == 1);
        let mut above: Vec<String> = Vec::new();
        for (at, line) in table.lines.iter().enumerate() {
            match line {
                Line::Comment(text) if text.is_empty() => {}
                Line::Comment(text) => above.push(text.clone()),
                Line::Disabled { line, text } => above.push(format!("Commented out, line {line}: {text}")),
                Line::Blank | Line::Variable | Line::Wrong => {
                    self.loose.append(&mut above);
                    self.part();
                }
                Line::Entry(entry) => {
                    // A comment above several entries is about all of them.
                    let is_alone = !matches!(table.lines.get(at + 1), Some(Line::Entry(_)));
                    self.entry(source, entry, std::mem::take(&mut above), is_alone, hint);
                }
            }
        }
        self.loose.append(&mut above);
    }

    fn entry(&mut self, source: usize, entry: &Entry, mut above: Vec<String>, is_alone: bool, hint: Option<&str>) {
        if let Err(error) = Schedule::parse(&entry.when.schedule, "job") {
            // Such as the 30th of February, at which cron would wait for ever.
            let (span, line) = (entry.span.clone(), entry.line);
            self.imported.troubles.push(Trouble { source, line, span, message: error.message, help: error.help });
            self.loose.append(&mut above);
            return;
        }
        let title = match &above[..] {
            [only] if is_alone && !only.starts_with("Commented out, ") => Some(only.clone()),
            _ => None,
        };
        let is_drawn = |text: &str| text.trim_matches(MARKS).len() + 2 <= text.len();
        let description =
            title.clone().filter(|title| title.chars().count() <= LONGEST_DESCRIPTION && !is_drawn(title));
        let wanted = title.as_deref().and_then(name_of_title);
        let wanted = wanted.or_else(|| hint.map(str::to_owned)).or_else(|| name_of_command(&entry.command.text));
        if description.is_some() {
            above.clear();
        }
        let mut comments = std::mem::take(&mut self.loose);
        comments.extend(above);
        let mut surroundings = Surroundings::of(entry);
        self.check_zone(source, entry, &mut surroundings);
        self.channels.push(surroundings.mail_to);
        self.imported.fields.push(entry.when.fields.clone());
        self.imported.random.push(entry.when.is_random);
        self.imported.sheet.drafts.push(Draft {
            name: self.imported.names.give(wanted.as_deref().unwrap_or("job")),
            source,
            line: entry.line,
            comments,
            remarks: surroundings.remarks,
            description,
            schedules: vec![entry.when.schedule.clone()],
            act: Act::Text(entry.command.text.clone()),
            stdin: entry.command.stdin.clone(),
            policies: surroundings.policies,
        });
    }

    /// A zone that does not exist is said once, and leaves its jobs in the zone of the machine.
    fn check_zone(&mut self, source: usize, entry: &Entry, surroundings: &mut Surroundings) {
        let Some(variable) = entry.variables.iter().find(|variable| variable.name == "CRON_TZ") else {
            return;
        };
        let zone = &variable.value;
        if zone.is_empty() || self.zones.zone(zone).is_some() {
            return;
        }
        surroundings.policies.retain(|(key, _)| *key != "timezone");
        let remark = format!("there is no zone {} (line {}).", in_remark(zone), variable.line);
        surroundings.remarks.push(remark);
        let (line, span) = (variable.line, variable.span.clone());
        let troubles = &mut self.imported.troubles;
        if troubles.iter().any(|known| known.source == source && known.line == line) {
            return;
        }
        let names = self.zones.names();
        let help = nearest(zone, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
        troubles.push(Trouble { source, line, span, message: format!("there is no zone `{zone}`"), help });
    }

    fn finish(mut self) -> Imported {
        self.imported.troubles.sort_by_key(|trouble| (trouble.source, trouble.span.start));
        self.name_channels();
        let sheet = &mut self.imported.sheet;
        while self.loose.last().is_some_and(String::is_empty) {
            self.loose.pop();
        }
        sheet.tail.append(&mut self.loose);
        self.imported
    }

    /// Makes a channel of each MAILTO. A job that names no channels tells all of them, so only a file in which jobs differ
    /// says who tells whom.
    fn name_channels(&mut self) {
        let sheet = &mut self.imported.sheet;
        let mut names = Names::default();
        let mut named: Vec<(&str, String)> = Vec::new();
        for mail_to in self.channels.iter().flatten() {
            let to = addresses(mail_to);
            if to.is_empty() || named.iter().any(|(known, _)| known == mail_to) {
                continue;
            }
            let first = to[0].split('@').next().unwrap_or_default();
            let name = names.give(first);
            sheet.channels.push((name.clone(), to));
            named.push((mail_to, name));
        }
        let differ = self.channels.iter().any(|mail_to| *mail_to != self.channels[0]);
        if sheet.channels.is_empty() || !differ {
            return;
        }
        for (draft, mail_to) in sheet.drafts.iter_mut().zip(&self.channels) {
            let name = named.iter().find(|(known, _)| mail_to.as_deref() == Some(*known));
            let told = name.map(|(_, name)| name.clone()).into_iter().collect();
            draft.policies.push(("channels", Value::Texts(told)));
        }
    }
}

/// Whom a MAILTO names, as far as mail could go there: a user of the machine has an address on it.
fn addresses(mail_to: &str) -> Vec<String> {
    let whole = |to: &str| if to.contains('@') { to.to_owned() } else { format!("{to}@localhost") };
    let is_address = |to: &String| to.parse::<Address>().is_ok();
    mail_to.split([',', ' ', '\t']).filter(|to| !to.is_empty()).map(whole).filter(is_address).collect()
}

/// What an entry's variables, user and options come to.
#[derive(Default)]
struct Surroundings {
    policies: Vec<(&'static str, Value)>,
    remarks: Vec<String>,
    mail_to: Option<String>,
}

impl Surroundings {
    fn of(entry: &Entry) -> Self {
        let mut found = Self::default();
        let mut env = Vec::new();
        if let Some(user) = &entry.user {
            found.policies.push(("user", Value::text(user)));
        }
        for variable in entry.variables.iter() {
            found.variable(variable, &mut env);
        }
        if !env.is_empty() {
            found.policies.push(("env", Value::Table(env)));
        }
        found.options(entry);
        let line = entry.line;
        if entry.command.had_two_backslashes {
            found.remarks.push(format!(
                "line {line} has `\\\\`, which Debian's cron reads as one backslash, as written here; other crons keep both."
            ));
        }
        if entry.when.is_random {
            found.remarks.push(format!(
                "line {line} has `~`: cron chooses anew each time it reads the table; `H` chooses once, by the job's name."
            ));
        }
        if entry.starts_like_a_user {
            found.remarks.push(format!(
                "line {line}: the command begins with `root`. If that is a user, import this with --with-user."
            ));
        }
        found
    }

    fn put(&mut self, key: &'static str, value: Value) {
        self.policies.retain(|(known, _)| *known != key);
        self.policies.push((key, value));
    }

    fn variable(&mut self, variable: &Variable, env: &mut Vec<(String, String)>) {
        let Variable { name, value, line, span: _ } = variable;
        let shown = in_remark(value);
        match name.as_str() {
            "SHELL" if value.is_empty() => {}
            "SHELL" => self.put("shell", Value::Texts(vec![value.clone(), "-c".to_owned()])),
            "HOME" => {
                self.put("cwd", Value::text(value));
                env.push((name.clone(), value.clone()));
            }
            "MAILTO" => {
                self.mail_to = Some(value.trim().to_owned());
                if !value.trim().is_empty() && addresses(value).is_empty() {
                    self.remarks.push(format!("MAILTO={shown} (line {line}) names nobody to whom mail could go."));
                }
            }
            "MAILFROM" => {
                self.remarks.push(format!("MAILFROM={shown} (line {line}) is `from` of [smtp] here, for all mail."));
            }
            "CONTENT_TYPE" | "CONTENT_TRANSFER_ENCODING" => {
                self.remarks.push(format!("{name} (line {line}) was left out: mail is UTF-8 here."));
            }
            "CRON_TZ" if !value.is_empty() => self.put("timezone", Value::text(value)),
            "TZ" => {
                env.push((name.clone(), value.clone()));
                self.remarks.push(format!(
                    "TZ={shown} (line {line}) is for the command alone, as in cron; write timezone = {shown:?} if the \
                     schedule was meant."
                ));
            }
            "RANDOM_DELAY" => match value.trim().parse::<u32>() {
                Ok(0) => {}
                Ok(minutes) => self.put("jitter", Value::text(format!("{minutes}m"))),
                Err(_) => self.remarks.push(format!("RANDOM_DELAY={shown} (line {line}) is no number of minutes.")),
            },
            "LOGNAME" => self.remarks.push(format!("LOGNAME={shown} (line {line}): cron does not let it be changed.")),
            _ => env.push((name.clone(), value.clone())),
        }
    }

    fn options(&mut self, entry: &Entry) {
        let line = entry.line;
        if entry.options.contains(&'s') {
            self.put("overlap", Value::text("skip"));
        }
        if entry.options.contains(&'-') {
            self.remarks.push(format!(
                "line {line} begins with `-`: to cronie that says not to log it, and Debian's cron refuses the line."
            ));
        }
        if entry.options.contains(&'n') {
            self.remarks.push(format!("line {line} has -n: its output was mailed only when it failed."));
        }
    }
}
