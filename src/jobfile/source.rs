//! Of which files does a job file consist? The main one, and those that it includes, one text behind the other.
//!
//! A place is a number of bytes from the beginning of the whole, so that everything knows its place by one number, whatever
//! file it stands in.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A file's text and the name under which people know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub path: PathBuf,
    /// Its own, and behind it those of the files that it includes.
    pub text: String,
    pub included: Vec<Included>,
    pub unread: Vec<Unread>,
    /// The first bytes of files that stand for something that is no UTF-8.
    #[serde(default)]
    pub not_utf8: Vec<usize>,
}

/// A file that the main one includes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Included {
    pub path: PathBuf,
    /// Where its text begins in the whole.
    pub start: usize,
}

/// A file that is to be included and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Which item of `include` names it, counted from 0.
    pub item: usize,
    pub message: String,
}

/// One of the files of a source.
#[derive(Debug, Clone, Copy)]
pub struct Part<'s> {
    pub path: &'s Path,
    pub text: &'s str,
    /// Where it begins in the whole.
    pub start: usize,
}

impl Source {
    /// A file that includes nothing, so far.
    pub fn new(path: PathBuf, text: String) -> Self {
        Self { path, text, included: Vec::new(), unread: Vec::new(), not_utf8: Vec::new() }
    }

    /// The same of bytes in which something may be no text.
    pub fn of_bytes(path: PathBuf, bytes: Vec<u8>) -> Self {
        let mut source = Self::new(path, String::new());
        source.text = source.take(bytes);
        source
    }

    /// Adds the bytes of a file that is included.
    pub fn include_bytes(&mut self, path: PathBuf, bytes: Vec<u8>) {
        self.text.push('\n');
        self.included.push(Included { path, start: self.text.len() });
        let text = self.take(bytes);
        self.text.push_str(&text);
    }

    /// The text that comes next, in which what is no UTF-8 was replaced.
    fn take(&mut self, bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap_or_else(|error| {
            self.not_utf8.push(self.text.len() + error.utf8_error().valid_up_to());
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        })
    }

    /// Adds the text of a file that is included.
    pub fn include(&mut self, path: PathBuf, text: &str) {
        self.include_bytes(path, text.as_bytes().to_vec());
    }

    /// Says that its main file stands elsewhere, and with it whatever stood in its folder.
    pub fn move_to(&mut self, main: &Path) {
        let (from, to) = (self.folder(0).to_owned(), main.parent().unwrap_or(Path::new("")));
        for included in &mut self.included {
            if let Ok(within) = included.path.strip_prefix(&from) {
                included.path = to.join(within);
            }
        }
        main.clone_into(&mut self.path);
    }

    /// Its files, the main one first.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        (0..=self.included.len()).map(|at| self.part_number(at))
    }

    /// The file in which a byte of the whole stands.
    pub fn part(&self, byte: usize) -> Part<'_> {
        self.part_number(self.included.partition_point(|included| included.start <= byte))
    }

    /// The folder of the file in which a byte of the whole stands: relative paths are taken from there.
    pub fn folder(&self, byte: usize) -> &Path {
        self.part(byte).path.parent().unwrap_or(Path::new(""))
    }

    fn part_number(&self, number: usize) -> Part<'_> {
        // Between two of them is the end of a line that neither has.
        let end = self.included.get(number).map_or(self.text.len(), |next| next.start - 1);
        let (path, start) = match number.checked_sub(1).and_then(|at| self.included.get(at)) {
            Some(included) => (&included.path, included.start),
            None => (&self.path, 0),
        };
        Part { path, text: &self.text[start..end], start }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobfile::Position;

    #[test]
    fn a_byte_of_the_whole_is_in_one_file() {
        let mut source = Source::new("/etc/jobs.toml".into(), "ab\ncd".to_owned());
        source.include("/etc/jobs.d/x.toml".into(), "ef\ngh\n");
        source.include("/srv/y.toml".into(), "");
        source.include("/srv/z.toml".into(), "i");
        let texts: Vec<_> = source.parts().map(|part| (part.path.to_str().unwrap(), part.text)).collect();
        let expect = [
            ("/etc/jobs.toml", "ab\ncd"),
            ("/etc/jobs.d/x.toml", "ef\ngh\n"),
            ("/srv/y.toml", ""),
            ("/srv/z.toml", "i"),
        ];
        assert_eq!(texts, expect);
        let at = source.text.find('h').unwrap();
        assert_eq!(source.part(at).path, Path::new("/etc/jobs.d/x.toml"));
        assert_eq!(source.folder(at), Path::new("/etc/jobs.d"));
        assert_eq!(source.position(at), Position { line: 2, column: 2 });
        assert_eq!(source.folder(0), Path::new("/etc"));
        assert_eq!(source.position(source.text.len()), Position { line: 1, column: 2 });
    }
}
