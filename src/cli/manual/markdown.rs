//! How does a piece of our README look on a manual page? What it is written with is turned into troff, no more of Markdown.

/// A text in which troff sees nothing but letters.
pub fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('\'', "\\(aq").replace('`', "\\(ga").replace('^', "\\(ha");
    let text = text.replace('~', "\\(ti");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

/// A piece of code: its hyphens are minus signs, so that it can be copied.
pub fn code(text: &str) -> String {
    escaped(text).replace('-', "\\-")
}

/// Headings down from the second become sections, tables lists of terms, fenced lines examples.
pub fn to_troff(markdown: &str) -> String {
    let mut page = String::new();
    let mut lines = markdown.lines().peekable();
    let mut is_between = true;
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            page.extend([".SH \"", &inline(title).to_uppercase(), "\"\n"]);
            is_between = false;
        } else if line.starts_with("```") {
            page.push_str(".PP\n.in +4\n.EX\n");
            for line in lines.by_ref().take_while(|line| !line.starts_with("```")) {
                page.push_str(&code(line));
                page.push('\n');
            }
            page.push_str(".EE\n.in\n");
            is_between = true;
        } else if line.starts_with('|') {
            let rule = lines.next_if(|next| next.starts_with("|--"));
            if rule.is_none() {
                page.push_str(&row(line));
            }
            is_between = true;
        } else if let Some(item) = line.strip_prefix("- ") {
            page.extend([".IP \\(bu 2\n", &inline(item), "\n"]);
            is_between = false;
        } else if line.trim().is_empty() {
            is_between = true;
        } else {
            if std::mem::take(&mut is_between) {
                page.push_str(".PP\n");
            }
            page.push_str(&inline(line.trim_start()));
            page.push('\n');
        }
    }
    page
}

/// A row of a table: its first cell is a term, the rest says what it is.
fn row(line: &str) -> String {
    let line = line.trim().trim_matches('|').replace("\\|", "\u{1}");
    let mut cells = line.split('|').map(|cell| inline(cell.trim()).replace('\u{1}', "|"));
    let term = cells.next().unwrap_or_default();
    let rest: Vec<String> = cells.filter(|cell| !cell.is_empty()).collect();
    format!(".TP\n{term}\n{}\n", rest.join("; "))
}

/// Words in a line: code and what is bold stand out, of links the text is left.
fn inline(text: &str) -> String {
    let mut line = String::new();
    let mut is_code = false;
    for (number, part) in text.split('`').enumerate() {
        is_code = number % 2 == 1;
        if is_code {
            line.extend(["\\fB", &code(part), "\\fR"]);
        } else {
            line.push_str(&bold(&unlinked(part)));
        }
    }
    // A mark that is never taken back would colour the rest of the page.
    if is_code {
        line.push_str("\\fR");
    }
    if line.starts_with('.') { format!("\\&{line}") } else { line }
}

fn bold(text: &str) -> String {
    let parts = text.split("**").enumerate();
    parts
        .map(|(number, part)| {
            let part = escaped(part).trim_start_matches("\\&").to_owned();
            if number % 2 == 1 { format!("\\fB{part}\\fR") } else { part }
        })
        .collect()
}

/// `[words](address)` without its address.
fn unlinked(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('[') {
        let link = behind.split_once("](").and_then(|(words, tail)| Some((words, tail.split_once(')')?.1)));
        plain.push_str(before);
        match link.filter(|(words, _)| !words.contains('[')) {
            Some((words, tail)) => {
                plain.push_str(words);
                rest = tail;
            }
            None => {
                plain.push('[');
                rest = behind;
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_readme_is_written_with() {
        for (markdown, expect) in [
            ("## Write jobs", ".SH \"WRITE JOBS\"\n"),
            ("Two\nlines.\n\nAnother.", ".PP\nTwo\nlines.\n.PP\nAnother.\n"),
            ("**Calendars** are sets", ".PP\n\\fBCalendars\\fR are sets\n"),
            ("run `check --strict` now", ".PP\nrun \\fBcheck \\-\\-strict\\fR now\n"),
            ("the [spec](https://a.example/x) says", ".PP\nthe spec says\n"),
            ("`[jobs]` and [not a link]", ".PP\n\\fB[jobs]\\fR and [not a link]\n"),
            ("```toml\na = \"\\n\"\n.b\n```", ".PP\n.in +4\n.EX\na = \"\\en\"\n\\&.b\n.EE\n.in\n"),
            ("| key | value |\n|---|---|\n| `a`, `b` | text (`1`) |", ".TP\n\\fBa\\fR, \\fBb\\fR\ntext (\\fB1\\fR)\n"),
            ("- one\n  more\n- two", ".IP \\(bu 2\none\nmore\n.IP \\(bu 2\ntwo\n"),
            (".hidden", ".PP\n\\&.hidden\n"),
            ("it's", ".PP\nit\\(aqs\n"),
        ] {
            assert_eq!(to_troff(markdown), expect, "{markdown}");
        }
    }
}
