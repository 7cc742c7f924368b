//! The house stands as `src/lib.rs` draws it: rooms import from lower floors, files of a room in no circle, and what is
//! pure touches neither clock nor file nor thread.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A file of `src`, by the room it belongs to.
struct Source {
    path: PathBuf,
    room: String,
    /// The file's name within its room; `mod` for what holds the room together.
    file: String,
    /// Without comments, texts and tests.
    code: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root(), &mut paths);
    paths.into_iter().filter(|path| path.file_name().unwrap() != "tests.rs").map(source).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn source(path: PathBuf) -> Source {
    let inner = path.strip_prefix(root()).unwrap().with_extension("");
    let parts: Vec<String> = inner.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    let text = fs::read_to_string(&path).unwrap();
    let code = strip(text.split("#[cfg(test)]").next().unwrap());
    let file = parts.get(1).cloned().unwrap_or_else(|| "mod".to_owned());
    Source { path, room: parts[0].clone(), file, code }
}

/// Takes comments and texts out of a piece of Rust.
fn strip(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        let mut quoted = false;
        let mut escaped = false;
        let mut characters = line.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '/' if !quoted && characters.peek() == Some(&'/') => break,
                '"' if !escaped => quoted = !quoted,
                _ if !quoted => code.push(character),
                _ => {}
            }
            escaped = quoted && character == '\\' && !escaped;
        }
        code.push('\n');
    }
    code
}

/// The floors as the table in `src/lib.rs` gives them.
fn floors() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(root().join("lib.rs")).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("//! | "))
        .filter_map(|row| {
            let (floor, rest) = row.split_once(" | [`")?;
            let (room, _) = rest.split_once("`] |")?;
            Some((room.to_owned(), floor.parse().ok()?))
        })
        .collect()
}

/// The names that follow a prefix such as `crate::` anywhere in a piece of code, lists in braces included.
fn names_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(list) => names.extend(list.split('}').next().unwrap().split(',').map(|item| first_word(item.trim()))),
            None => {
                names.insert(first_word(rest));
            }
        }
    }
    names.remove("");
    names
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn every_room_is_on_the_map() {
    let floors = floors();
    let rooms: BTreeSet<String> =
        sources().into_iter().map(|source| source.room).filter(|room| room != "lib" && room != "main").collect();
    assert_eq!(floors.keys().cloned().collect::<BTreeSet<_>>(), rooms);
}

#[test]
fn rooms_import_from_lower_floors() {
    let floors = floors();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.room != "lib" && source.room != "main") {
        for room in names_after(&source.code, "crate::").into_iter().filter(|room| *room != source.room) {
            let Some(floor) = floors.get(&room) else {
                wrong.push(format!("{} imports crate::{room}, which is no room", source.path.display()));
                continue;
            };
            if *floor >= floors[&source.room] {
                wrong.push(format!("{} imports {room} from floor {floor}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Which files of its room a file imports; `mod.rs` is what they have in common, and counts only for the others.
fn imports_within(source: &Source, files: &BTreeSet<String>) -> BTreeSet<String> {
    let mut names = names_after(&source.code, "super::");
    names.extend(names_after(&source.code, &format!("crate::{}::", source.room)));
    names.into_iter().filter(|name| files.contains(name) && *name != source.file).collect()
}

#[test]
fn files_of_a_room_import_each_other_in_no_circle() {
    let mut rooms: BTreeMap<String, Vec<Source>> = BTreeMap::new();
    for source in sources() {
        rooms.entry(source.room.clone()).or_default().push(source);
    }
    for (room, sources) in rooms {
        let files: BTreeSet<String> = sources.iter().map(|source| source.file.clone()).collect();
        let mut imports: BTreeMap<String, BTreeSet<String>> = sources
            .iter()
            .filter(|source| source.file != "mod")
            .map(|source| (source.file.clone(), imports_within(source, &files)))
            .collect();
        // What imports nothing that is left can be taken away, until nothing is left but circles.
        while let Some(free) = imports.iter().find(|(_, names)| names.is_empty()).map(|(file, _)| file.clone()) {
            imports.remove(&free);
            for names in imports.values_mut() {
                names.remove(&free);
            }
        }
        assert!(imports.is_empty(), "a circle in {room}: {imports:#?}");
    }
}

#[test]
fn what_is_pure_touches_nothing() {
    const PURE_UP_TO: &str = "plan";
    const IMPURE: [&str; 24] = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "std::io",
        "std::os",
        "Mutex",
        "RwLock",
        "atomic",
        "RefCell",
        "thread_local",
        "tokio",
        "async ",
        ".await",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "TimeZone::system",
        "TimeZone::get",
        "println!",
        "tracing::",
        "rustix",
    ];
    let floors = floors();
    let highest = floors[PURE_UP_TO];
    let pure = sources().into_iter().filter(|source| floors.get(&source.room).is_some_and(|floor| *floor <= highest));
    let mut count = 0;
    for source in pure {
        count += 1;
        let found: Vec<_> = IMPURE.iter().filter(|word| source.code.contains(**word)).collect();
        assert!(found.is_empty(), "{} is pure, and has {found:?}", source.path.display());
    }
    assert!(count > 15, "only {count} files are pure");
}

/// The keeper must not stumble over what the scheduler stumbles over, and must be small where it sits for years.
#[test]
fn the_keeper_is_plain() {
    const SCHEDULERS_END: &str = "client";
    const RICH: [&str; 6] = ["tokio", "async ", ".await", "sqlx", "crate::store", "crate::jobfile"];
    let keeper: Vec<Source> = sources().into_iter().filter(|source| source.room == "keeper").collect();
    assert!(keeper.len() > 8, "{} files", keeper.len());
    for source in keeper.iter().filter(|source| source.file != SCHEDULERS_END) {
        let found: Vec<_> = RICH.iter().filter(|word| source.code.contains(**word)).collect();
        assert!(found.is_empty(), "{} is the keeper's, and has {found:?}", source.path.display());
    }
}

/// What sits there for years is to be read in an hour. The scheduler's end of the line is not the keeper's own, nor is what is
/// kept of output.
#[test]
fn the_keeper_is_small() {
    const NOT_ITS_OWN: [&str; 3] = ["client", "capture", "scan"];
    const LINES_OF_CODE: usize = 1_000;
    let is_its_own = |source: &Source| source.room == "keeper" && !NOT_ITS_OWN.contains(&source.file.as_str());
    let keeper: Vec<usize> =
        sources().iter().filter(|source| is_its_own(source)).map(|source| lines_that_do(&source.code)).collect();
    assert!(keeper.len() > 8, "{} files", keeper.len());
    let all: usize = keeper.iter().sum();
    assert!((LINES_OF_CODE / 2..LINES_OF_CODE).contains(&all), "the keeper has {all} lines of code");
}

/// Lines but for empty ones and imports.
fn lines_that_do(code: &str) -> usize {
    let mut is_import = false;
    let mut count = 0;
    for line in code.lines().map(str::trim).filter(|line| !line.is_empty()) {
        is_import |= ["use ", "pub use ", "mod "].iter().any(|word| line.starts_with(word));
        count += usize::from(!is_import);
        is_import &= !line.ends_with(';');
    }
    count
}

/// The statements that write and read are the store's.
#[test]
fn sql_is_in_one_room() {
    for source in sources().iter().filter(|source| source.room != "store") {
        assert!(!source.code.contains("sqlx::query"), "{} asks the database itself", source.path.display());
    }
}

#[test]
fn the_reader_of_code_sees_what_matters() {
    let code =
        strip("use crate::{a, b::C}; // crate::d\nlet x = \"crate::e \\\" crate::f\"; pub(crate) y; crate::g::h();");
    assert_eq!(names_after(&code, "crate::"), ["a", "b", "g"].map(str::to_owned).into());
}
