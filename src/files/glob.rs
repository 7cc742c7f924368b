//! Which files does a pattern name now?

use std::path::{Component, Path, PathBuf};

/// What a pattern names, and where one has to look to know it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Files and folders, in the order of their names.
    pub paths: Vec<PathBuf>,
    /// Folders in which names are compared with a pattern, and which.
    pub looked: Vec<(PathBuf, String)>,
}

/// Whether a text is a pattern, rather than a name.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// What a pattern of absolute paths names. Where a folder is not there, it names nothing.
pub fn find(pattern: &Path) -> Found {
    let mut found = Found { paths: vec![PathBuf::from("/")], looked: Vec::new() };
    for component in pattern.components() {
        let Component::Normal(name) = component else {
            if component == Component::ParentDir {
                found.paths.iter_mut().for_each(|path| path.push(".."));
            }
            continue;
        };
        let name = name.to_string_lossy().into_owned();
        let folders = std::mem::take(&mut found.paths);
        for folder in folders {
            if !is_pattern(&name) {
                found.paths.push(folder.join(&name));
                continue;
            }
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let names = entries.map(|entry| entry.file_name());
            let mut names: Vec<_> = names.filter(|entry| matches(&name, &entry.to_string_lossy())).collect();
            names.sort();
            found.paths.extend(names.into_iter().map(|name| folder.join(name)));
            found.looked.push((folder, name.clone()));
        }
    }
    found
}

/// Whether a name fits: `*` is any text, `?` any character. What begins with a dot is hidden, as in a shell: editors keep
/// their own files so.
pub fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last star stood, and how far it has come.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            Some(_) | None => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name, expect) in [
            ("*.toml", "a.toml", true),
            ("*.toml", ".toml", false),
            ("*.toml", ".#a.toml", false),
            (".*.toml", ".a.toml", true),
            ("*.toml", "a.toml~", false),
            ("a?c*", "abc", true),
            ("a?c*", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "abab", true),
            ("**", "x", true),
            ("x", "x", true),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, name), expect, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_names_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for path in ["b.d/2.toml", "b.d/1.toml", "b.d/.3.toml", "a.d/1.toml", "c"] {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = find(&root.join("*.d/*.toml"));
        let expect = ["a.d/1.toml", "b.d/1.toml", "b.d/2.toml"].map(|path| root.join(path));
        assert_eq!(found.paths, expect);
        let looked = [("", "*.d"), ("a.d", "*.toml"), ("b.d", "*.toml")];
        assert_eq!(found.looked, looked.map(|(path, name)| (root.join(path), name.to_owned())));
        assert_eq!(find(&root.join("none/*.toml")).paths, Vec::<PathBuf>::new());
    }
}
