//! What does a page look like without `man`? As much of troff as our own pages are written in.

use crate::cli::table::wrap;

/// Columns of a line where nobody says how many there are.
const WIDTH: usize = 80;
/// How far texts stand from the margin, and what is below a term from the texts.
const INDENT: usize = 7;

/// The text that is being put together.
#[derive(Default)]
struct Sheet {
    text: String,
    /// Words that have not come to a line yet.
    words: String,
    /// How far below a term they stand.
    deeper: usize,
    /// Whether the next line is a term, or the lines are as they are to be.
    is_term: bool,
    is_as_it_is: bool,
    width: usize,
}

/// The plain text of a page in troff.
pub fn of_troff(page: &str, width: Option<usize>) -> String {
    let mut sheet = Sheet { width: width.unwrap_or(WIDTH).max(2 * INDENT + 20), ..Sheet::default() };
    for line in page.lines() {
        match line.strip_prefix('.') {
            Some(request) => sheet.request(request),
            None => sheet.line(line),
        }
    }
    sheet.flush();
    sheet.text
}

impl Sheet {
    fn request(&mut self, request: &str) {
        let (name, rest) = request.split_once(' ').unwrap_or((request, ""));
        let rest = plain(rest.trim_matches('"'));
        match name {
            "SH" | "SS" => {
                self.paragraph(0);
                self.text.push_str(&rest.to_uppercase());
                self.text.push('\n');
            }
            "PP" => self.paragraph(0),
            "TP" => {
                self.paragraph(0);
                self.is_term = true;
            }
            "IP" => {
                self.paragraph(2);
                let mark = rest.split_whitespace().next().unwrap_or_default();
                self.words = format!("{mark} ");
                self.deeper = 0;
            }
            "RS" => {
                self.flush();
                self.deeper = INDENT;
            }
            "RE" => {
                self.flush();
                self.deeper = 0;
            }
            "br" => self.flush(),
            "EX" | "nf" => {
                self.flush();
                self.is_as_it_is = true;
            }
            "EE" | "fi" => self.is_as_it_is = false,
            _ => {}
        }
    }

    /// Begins anew, below an empty line.
    fn paragraph(&mut self, deeper: usize) {
        self.flush();
        self.deeper = deeper;
        let last = self.text.lines().next_back().unwrap_or_default();
        // A title stands directly above what it is about.
        if last.starts_with(' ') {
            self.text.push('\n');
        }
    }

    fn line(&mut self, line: &str) {
        let line = plain(line);
        if self.is_as_it_is {
            self.put(&line, INDENT + 4);
        } else if std::mem::take(&mut self.is_term) {
            self.put(&line, INDENT);
            self.deeper = INDENT;
        } else {
            if !self.words.is_empty() && !self.words.ends_with(' ') {
                self.words.push(' ');
            }
            self.words.push_str(line.trim());
        }
    }

    fn flush(&mut self) {
        let (words, indent) = (std::mem::take(&mut self.words), INDENT + self.deeper);
        for line in wrap(words.trim_end(), Some(self.width - indent)).iter().filter(|line| !line.is_empty()) {
            self.put(line, indent);
        }
    }

    fn put(&mut self, line: &str, indent: usize) {
        self.text.push_str(format!("{:indent$}{line}", "").trim_end());
        self.text.push('\n');
    }
}

/// Letters, without what makes them bold and what keeps troff from reading them.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once('\\') {
        text.push_str(before);
        let (letter, length) = match behind.chars().next() {
            Some('f') => ("", 2),
            Some('(') => match behind.get(1..3) {
                Some("aq") => ("'", 3),
                Some("ga") => ("`", 3),
                Some("ha") => ("^", 3),
                Some("ti") => ("~", 3),
                Some("bu") => ("•", 3),
                _ => ("", 3),
            },
            Some('[') => {
                let (number, _) = behind[1..].split_once(']').unwrap_or(("", ""));
                let letter = number.strip_prefix('u').and_then(|number| u32::from_str_radix(number, 16).ok());
                text.extend(letter.and_then(char::from_u32));
                ("", number.len() + 2)
            }
            // The one string that our pages name.
            Some('*') => ("'", "*(Aq".len()),
            Some('e') => ("\\", 1),
            Some('-') => ("-", 1),
            Some(' ') => (" ", 1),
            Some(other) => ("", other.len_utf8()),
            None => ("", 0),
        };
        text.push_str(letter);
        rest = behind.get(length..).unwrap_or_default();
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_without_man() {
        let page = ".TH x 1\n.SH NAME\npunctual\\-run \\- Run\njobs\n.TP\n\\fB\\-\\-wait\\fR\nShow it\n.EX\n a\\(aq \\[u2026]\n.EE\n";
        let expect = "NAME\n       punctual-run - Run jobs\n\n       --wait\n              Show it\n            a' …\n";
        assert_eq!(of_troff(page, None), expect);
    }

    #[test]
    fn no_page_shows_what_is_for_troff() {
        for page in super::super::pages() {
            let text = of_troff(&page.text, None);
            let is_troff = |line: &&str| {
                line.starts_with('.') || line.contains("\\f") || line.contains("\\(") || line.contains("(Aq")
            };
            assert_eq!(text.lines().find(is_troff), None, "{}", page.name);
        }
    }
}
