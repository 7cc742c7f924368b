//! The page of the file, from what the README says of it.

use super::markdown::to_troff;

const README: &str = include_str!("../../../README.md");
/// The sections that are about the file.
const SECTIONS: [&str; 2] = ["Write jobs", "What is kept"];

const HEAD: &str = "\
.TH jobs.toml 5 \"\" punctual punctual
.SH NAME
jobs.toml \\- the jobs that punctual runs, and when
.SH SYNOPSIS
\\fI./jobs.toml\\fR, \\fI~/.config/punctual/jobs.toml\\fR, \\fI/etc/punctual/jobs.toml\\fR
.SH DESCRIPTION
The file is TOML. A small one to begin with is written by \\fBpunctual init\\fR; \\fBpunctual check\\fR says what is wrong with one,
with the line and what to write instead.
";

const TAIL: &str = "\
.SH \"SEE ALSO\"
\\fBpunctual\\fR(1), \\fBpunctual\\-check\\fR(1)
";

pub fn page() -> String {
    let sections: String = SECTIONS.iter().filter_map(|title| section(title)).map(|text| to_troff(&text)).collect();
    format!("{HEAD}{sections}{TAIL}")
}

/// A section of the README with its heading.
fn section(title: &str) -> Option<String> {
    let heading = format!("\n## {title}\n");
    let start = README.find(&heading)? + 1;
    let rest = &README[start..];
    let end = rest[3..].find("\n## ").map_or(rest.len(), |end| end + 4);
    Some(rest[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobfile::job_keys;

    #[test]
    fn every_section_is_there() {
        for title in SECTIONS {
            assert!(section(title).is_some_and(|text| text.lines().count() > 5), "{title}");
        }
    }

    #[test]
    fn every_key_that_the_file_may_have_is_on_the_page() {
        let page = page();
        let lacking: Vec<&str> = job_keys().filter(|key| !page.contains(&format!("\\fB{key}\\fR"))).collect();
        assert_eq!(lacking, Vec::<&str>::new());
    }
}
