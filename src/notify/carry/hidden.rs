//! What must nobody see, whoever says it? Servers send back what they were sent, and what they say is kept and shown.

use percent_encoding::percent_decode_str;
use url::Url;

/// Shorter parts are no secrets, and occur everywhere.
const SHORTEST_PART: usize = 6;

/// Secrets that were used, the longest first, so that no end of one is left.
#[derive(Debug, Clone, Default)]
pub struct Hidden(Vec<String>);

impl Hidden {
    /// A secret, and what of it may be sent back: `Bearer abc` comes as `abc`, too.
    pub fn add(&mut self, secret: &str) {
        self.push(secret);
        secret.split_whitespace().skip(1).filter(|part| part.len() >= SHORTEST_PART).for_each(|part| self.push(part));
    }

    /// An address whose path lets in whoever knows it.
    pub fn add_address(&mut self, url: &Url) {
        self.push(url.as_str());
        let segments = url.path_segments().into_iter().flatten();
        let values = url.query().into_iter().flat_map(|query| query.split(['&', '=']));
        for part in segments.chain(values).filter(|part| part.len() >= SHORTEST_PART) {
            self.push(part);
            self.push(&percent_decode_str(part).decode_utf8_lossy());
        }
        if url.path().len() > SHORTEST_PART {
            self.push(url.path());
        }
    }

    /// The words without any of them.
    pub fn cover(&self, words: &str) -> String {
        self.0.iter().fold(words.to_owned(), |words, secret| words.replace(secret.as_str(), "***"))
    }

    fn push(&mut self, secret: &str) {
        if !secret.is_empty() && !self.0.iter().any(|known| known == secret) {
            let at = self.0.partition_point(|known| known.len() >= secret.len());
            self.0.insert(at, secret.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_covered_in_whole_and_in_part() {
        let mut hidden = Hidden::default();
        hidden.add("Bearer canary-1");
        hidden.add("ab");
        hidden.add_address(&"https://a.example/services/T0CANARY/x?token=can%20ary".parse().unwrap());
        for (words, expect) in [
            ("you sent Bearer canary-1", "you sent ***"),
            ("`canary-1`", "`***`"),
            ("cab", "c***"),
            ("no /services/T0CANARY/x here", "no *** here"),
            (r"https:\/\/a.example\/services\/T0CANARY\/x", r"https:\/\/a.example\/***\/***\/x"),
            ("can ary, can%20ary", "***, ***"),
        ] {
            assert_eq!(hidden.cover(words), expect);
        }
    }
}
