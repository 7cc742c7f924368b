//! What of this text is not to be shown with what is said about it?
//!
//! Where a file is read as it should be, its secrets are known by their keys. This is also about files that are not: a
//! password on a line that is wrong is still a password.

use std::ops::Range;

use super::source::Source;

/// What the names of secrets have in them, in lower case.
const WORDS: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "api-key", "authorization"];

/// Hosts whose addresses let everybody in who knows them.
const OPEN_TO_ALL: [&str; 9] = [
    "hooks.slack.com",
    "hooks.slack-gov.com",
    "discord.com",
    "discordapp.com",
    "webhook.office.com",
    "logic.azure.com",
    "api.telegram.org",
    "hc-ping.com",
    "ntfy.sh",
];

impl Source {
    /// The same with stars in place of the content of these texts; their quotes stay.
    #[must_use]
    pub fn starred(&self, texts: &[Range<usize>]) -> Self {
        let mut source = self.clone();
        for span in texts {
            let text = &self.text[span.clone()];
            // A part of a text may begin with what is no quote around it.
            let is_quoted = ['"', '\''].iter().any(|quote| text.starts_with(*quote) && text.ends_with(*quote));
            let quotes = if is_quoted { text.len() - text.trim_start_matches(['"', '\'']).len() } else { 0 };
            let content = span.start + quotes..span.end.saturating_sub(quotes).max(span.start + quotes);
            let stars = "*".repeat(content.len());
            source.text.replace_range(content, &stars);
        }
        source
    }

    /// A part of the text with stars in place of secrets; everything else stays where it is.
    pub fn shown(&self, part: Range<usize>, hidden: &[Range<usize>]) -> String {
        let text = &self.text[part.clone()];
        let mut covered: Vec<Range<usize>> = hidden.iter().filter_map(|span| within(span, &part)).collect();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            covered.extend(secrets_in(line).into_iter().map(|span| span.start + start..span.end + start));
            start += line.len();
        }
        if covered.is_empty() {
            return text.to_owned();
        }
        let is_covered = |at: usize| covered.iter().any(|span| span.contains(&at));
        let star = |(at, c): (usize, char)| match c {
            '\n' | '\r' => c.to_string(),
            c if is_covered(at) => "*".repeat(c.len_utf8()),
            c => c.to_string(),
        };
        text.char_indices().map(star).collect()
    }
}

/// What a span covers of a part, counted from the part's beginning.
fn within(span: &Range<usize>, part: &Range<usize>) -> Option<Range<usize>> {
    let (start, end) = (span.start.max(part.start), span.end.min(part.end));
    (start < end).then(|| start - part.start..end - part.start)
}

/// Whether something of this name is a secret.
pub fn is_private(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// Whether words repeat a secret that stands in a line.
pub fn gives_away(words: &str, line: &str) -> bool {
    let is_repeated = |span: Range<usize>| {
        let secret = line[span].trim().trim_matches(['"', '\'']);
        !secret.is_empty() && words.contains(secret)
    };
    secrets_in(line).into_iter().any(is_repeated)
}

/// What stands behind the name of a secret and a `=` or `:`, and behind a user in an address.
fn secrets_in(line: &str) -> Vec<Range<usize>> {
    // Of the same length, so that places in one are places in the other.
    let lower = line.to_ascii_lowercase();
    let behind_words = WORDS.iter().flat_map(|word| lower.match_indices(word).map(|(at, word)| at + word.len()));
    let mut found: Vec<Range<usize>> = behind_words.filter_map(|at| assigned(line, at)).collect();
    let addresses = || line.match_indices("://").map(|(at, mark)| at + mark.len());
    found.extend(addresses().filter_map(|at| of_user(line, at)));
    found.extend(addresses().filter_map(|at| of_capability(line, at)));
    found
}

/// What stands behind a host that lets everybody in who knows it; the host begins at `at`.
fn of_capability(line: &str, at: usize) -> Option<Range<usize>> {
    let address = line[at..].split(['"', '\'', ' ', '\t', '\n', '\r']).next()?;
    let (host, path) = address.split_once('/')?;
    let name = host.split(':').next()?.to_ascii_lowercase();
    let is_of = |known: &&str| name.strip_suffix(*known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let start = at + host.len() + 1;
    OPEN_TO_ALL.iter().any(is_of).then_some(start..start + path.len())
}

/// The value that is given to the name that goes on at `at`.
fn assigned(line: &str, at: usize) -> Option<Range<usize>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let rest = line[at..].trim_start_matches(is_name).trim_start_matches(['"', '\'']).trim_start();
    let rest = rest.strip_prefix(['=', ':'])?.trim_start();
    let start = line.len() - rest.len();
    let length = match rest.chars().next()? {
        // Where it stands, and not the secret itself.
        '{' | '$' => return None,
        // Up to the last quote of the line: what is wrong about a line is often one of its quotes.
        quote @ ('"' | '\'') => rest.rfind(quote).filter(|end| *end > 0).map_or(rest.trim_end().len(), |end| end + 1),
        _ => rest.find([' ', '\t', ',', '"', '\'', ']', '}', '\n', '\r']).unwrap_or(rest.len()),
    };
    Some(start..start + length)
}

/// The password in `user:password@host`, which begins at `at`.
fn of_user(line: &str, at: usize) -> Option<Range<usize>> {
    let address = line[at..].split(['"', '\'', ' ', '\t', '/', '\n']).next()?;
    let (login, _) = address.rsplit_once('@')?;
    let (user, _) = login.split_once(':')?;
    Some(at + user.len() + 1..at + login.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let source = Source::new("x".into(), text.to_owned());
        source.shown(0..text.len(), &[])
    }

    #[test]
    fn what_is_hidden_leaves_the_rest_in_its_place() {
        let source = Source::new("x".into(), "a = 'pä\nß' # b".to_owned());
        let hidden = std::slice::from_ref(&(4..12));
        assert_eq!(source.shown(0..source.text.len(), hidden), "a = ****\n*** # b");
        assert_eq!(source.shown(9..source.text.len(), hidden), "*** # b");
        assert_eq!(source.shown(0..source.text.len(), &[]), source.text);
    }

    #[test]
    fn secrets_are_known_by_their_names_wherever_they_stand() {
        for text in [
            "password = \"canary\"",
            "password = canary\n",
            "smtp.Password: 'canary'",
            "env = { A = 1, DB_PASSWORD = \"canary\", B = 2 }",
            "password = \"can\"ary\"",
            "\"api-key\" = \"canary\" # x",
            "headers = { Authorization = \"Bearer canary\" }",
            "command = \"mysql --password=canary -e x\"",
            "url = \"smtps://me:canary@mail.example.org\"",
            "database = \"postgres://me:can@ary@db/x\"",
            "ACCESS_TOKEN_PRODUCTION = 'canary",
            "webhook = \"https://hooks.slack.com/services/canary",
            "command = 'curl https://x.webhook.office.com:443/canary -d x'",
        ] {
            let shown = shown(text);
            assert!(!shown.contains("canary") && !shown.contains("ary"), "{text}: {shown}");
            assert_eq!(shown.len(), text.len(), "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for text in [
            "password = { env = \"SMTP_PASSWORD\" }",
            "[jobs.rotate-secrets]\n",
            "command = \"echo $TOKEN; ./token --refresh\"",
            "url = \"https://example.org:8443/a@b\"",
            "command = \"login --password=$PASSWORD\"",
        ] {
            assert_eq!(shown(text), text);
        }
    }
}
