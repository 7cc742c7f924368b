//! With what does a command begin? Its program, its folder and its environment, looked up as they are now.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::door::{Order, Surroundings};
use super::part::Part;
use super::trouble::Trouble;
use crate::files::{ReadError, read_text};
use crate::job::Work;
use crate::keeper::Program;
use crate::run::Reason;

/// What a job gets of the daemon's own variables: enough for a shell to work, nothing that may be secret.
const INHERITED: [&str; 7] = ["PATH", "LANG", "TZ", "HOME", "USER", "LOGNAME", "SHELL"];
/// Of a job's variables those by which its processes are known.
const MARKS: [&str; 3] = ["PUNCTUAL_RUN", "PUNCTUAL_STEP", "PUNCTUAL_DATABASE"];
/// The hidden verb under which this program sets a job up.
pub const SHIM: &str = "shim";
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything that a process is started with.
#[derive(Debug)]
pub(super) struct Prepared {
    pub program: Program,
    pub argv: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub cwd: PathBuf,
}

impl Prepared {
    pub fn of(part: &Part, argv: Vec<String>, surroundings: &Surroundings) -> Result<Self, Trouble> {
        let mut environment = inherited(&surroundings.environment);
        environment.extend(job_variables(part, surroundings)?);
        let Located { program, cwd } = locate(&argv, part.work.cwd.as_deref(), &environment)?;
        Ok(Self { program: Program::At(program), argv, environment, cwd })
    }

    /// The shim, which has of the job only the marks by which its processes are known.
    pub fn shim(part: &Part, surroundings: &Surroundings) -> Self {
        let marks = own_variables(part, surroundings).into_iter().filter(|(name, _)| MARKS.contains(&name.as_str()));
        Self {
            program: Program::Own,
            argv: vec!["punctual".to_owned(), SHIM.to_owned()],
            environment: marks.collect(),
            cwd: PathBuf::from("/"),
        }
    }
}

/// Where a command begins.
#[derive(Debug)]
pub(super) struct Located {
    /// Absolute.
    pub program: PathBuf,
    pub cwd: PathBuf,
}

/// Looks the program and the folder up as this process sees them, with the variables that the command gets.
pub(super) fn locate(
    argv: &[String],
    cwd: Option<&Path>,
    environment: &BTreeMap<String, String>,
) -> Result<Located, Trouble> {
    let cwd = working_folder(cwd, environment).map_err(|trouble| trouble.about("cwd"))?;
    let first = argv.first().map(String::as_str).unwrap_or_default();
    let program = find_program(first, &cwd, environment.get("PATH").map_or(DEFAULT_PATH, String::as_str))?;
    Ok(Located { program, cwd })
}

/// What a command gets of the daemon's own variables.
pub(super) fn inherited(daemon: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> = INHERITED
        .iter()
        .filter_map(|name| daemon.get(*name).map(|value| ((*name).to_owned(), value.clone())))
        .collect();
    variables.entry("PATH".to_owned()).or_insert_with(|| DEFAULT_PATH.to_owned());
    variables
}

/// The job's own variables: those of the files, then those of the table. The files are the daemon's to read, and may well
/// be nobody else's.
pub(super) fn own(work: &Work) -> Result<BTreeMap<String, String>, Trouble> {
    variables_of(work).map_err(|trouble| trouble.about("env_file"))
}

fn variables_of(work: &Work) -> Result<BTreeMap<String, String>, Trouble> {
    let mut variables = BTreeMap::new();
    for path in &work.env_files {
        let text = read_text(path).map_err(|error| {
            let reason = match &error {
                ReadError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                    Reason::NoPermission
                }
                _ => Reason::Spawn,
            };
            Trouble::new(reason, format!("its env_file: {error}"))
        })?;
        for (number, line) in text.lines().enumerate() {
            match variable(line) {
                Ok(Some((name, value))) => {
                    variables.insert(name, value);
                }
                Ok(None) => {}
                Err(message) => {
                    let place = format!("its env_file {}, line {}: {message}", path.display(), number + 1);
                    return Err(Trouble::new(Reason::Spawn, place));
                }
            }
        }
    }
    variables.extend(work.env.iter().cloned());
    Ok(variables)
}

/// Reads `NAME=value`, with quotes around the value if it has any; empty lines, comments and `export` are allowed.
fn variable(line: &str) -> Result<Option<(String, String)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, value) = line.split_once('=').ok_or_else(|| format!("`{line}` is no NAME=value"))?;
    let name = name.trim_end();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(format!("`{name}` is no name of a variable"));
    }
    let value = value.trim();
    let quoted = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let value = if value.len() >= 2 { quoted('"').or_else(|| quoted('\'')).unwrap_or(value) } else { value };
    if value.contains('\0') {
        return Err("a variable cannot hold a NUL character".to_owned());
    }
    Ok(Some((name.to_owned(), value.to_owned())))
}

/// The job's own variables, those that somebody gave to this run, and what it is told of the run.
pub(super) fn job_variables(part: &Part, surroundings: &Surroundings) -> Result<BTreeMap<String, String>, Trouble> {
    let mut variables = own(&part.work)?;
    variables.extend(part.order.asked.iter().flat_map(|asked| asked.env.clone()));
    variables.extend(own_variables(part, surroundings));
    Ok(variables)
}

fn own_variables(part: &Part, surroundings: &Surroundings) -> Vec<(String, String)> {
    let Order { run, cause, due, job, .. } = &*part.order;
    let step = part.step.as_ref().map(|step| ("PUNCTUAL_STEP", step.to_string()));
    let all = [
        ("PUNCTUAL_JOB", job.name.to_string()),
        ("PUNCTUAL_RUN", run.to_string()),
        ("PUNCTUAL_ATTEMPT", part.attempt().to_string()),
        ("PUNCTUAL_DUE", format!("{due:.6}")),
        ("PUNCTUAL_CAUSE", cause.word().to_owned()),
        ("PUNCTUAL", surroundings.program.display().to_string()),
        ("PUNCTUAL_STATE", surroundings.state.display().to_string()),
        ("PUNCTUAL_DATABASE", surroundings.database.display().to_string()),
    ];
    all.into_iter().chain(step).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The job's folder, or the user's home; where there is no home, the root.
fn working_folder(cwd: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<PathBuf, Trouble> {
    let Some(cwd) = cwd else {
        let home = environment.get("HOME").map(PathBuf::from);
        return Ok(home.filter(|home| home.is_dir()).unwrap_or_else(|| PathBuf::from("/")));
    };
    let shown = cwd.display();
    match fs::metadata(cwd) {
        Ok(folder) if !folder.is_dir() => {
            Err(Trouble::new(Reason::Spawn, format!("its working directory {shown} is not a folder")))
        }
        Ok(_) if rustix::fs::access(cwd, rustix::fs::Access::EXEC_OK).is_err() => {
            Err(Trouble::new(Reason::NoPermission, format!("its working directory {shown} cannot be entered")))
        }
        Ok(_) => fs::canonicalize(cwd).map_err(|error| Trouble::new(Reason::Spawn, error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(Trouble::new(Reason::NoPermission, format!("its working directory {shown} cannot be entered")))
        }
        Err(_) => Err(Trouble::new(Reason::Spawn, format!("its working directory {shown} is not there"))),
    }
}

fn find_program(name: &str, cwd: &Path, path: &str) -> Result<PathBuf, Trouble> {
    if name.contains('/') {
        let program = cwd.join(name);
        return executable(&program).map(|()| program);
    }
    let mut first_trouble = None;
    for folder in path.split(':').filter(|folder| !folder.is_empty()) {
        let program = cwd.join(folder).join(name);
        match executable(&program) {
            Ok(()) => return Ok(program),
            // A folder that may not be looked into is as good as empty.
            Err(trouble) if trouble.reason == Reason::NoPermission && program.exists() => {
                first_trouble.get_or_insert(trouble);
            }
            Err(_) => {}
        }
    }
    Err(first_trouble
        .unwrap_or_else(|| Trouble::new(Reason::NoProgram, format!("there is no program `{name}` in the job's PATH"))))
}

fn executable(program: &Path) -> Result<(), Trouble> {
    let shown = program.display();
    match fs::metadata(program) {
        Ok(file) if file.is_dir() => {
            Err(Trouble::new(Reason::NoPermission, format!("{shown} is a folder, not a program")))
        }
        Ok(_) if rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_err() => {
            Err(Trouble::new(Reason::NoPermission, format!("{shown} is not executable")))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(Trouble::new(Reason::NoPermission, format!("{shown} cannot be reached: permission denied")))
        }
        Err(_) => Err(Trouble::new(Reason::NoProgram, format!("there is no program {shown}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_an_env_file() {
        let pair = |name: &str, value: &str| Ok(Some((name.to_owned(), value.to_owned())));
        for (line, expect) in [
            ("A=1", pair("A", "1")),
            ("  export B = two words ", pair("B", "two words")),
            ("C=\"quoted # not a comment\"", pair("C", "quoted # not a comment")),
            ("D='it''s'", pair("D", "it''s")),
            ("URL=postgres://u:p@h/d?a=b", pair("URL", "postgres://u:p@h/d?a=b")),
            ("E=", pair("E", "")),
            ("F=\"", pair("F", "\"")),
            ("# comment", Ok(None)),
            ("", Ok(None)),
        ] {
            assert_eq!(variable(line), expect, "{line}");
        }
        for line in ["A", "=x", "A B=c", "é=1"] {
            assert!(variable(line).is_err(), "{line}");
        }
    }
}
