//! What does this `ExecStart` start?

use super::super::quote::shell_word;
use super::super::sheet::Act;

/// A command line of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub act: Act,
    /// What of it was left behind.
    pub remarks: Vec<String>,
}

/// What specifiers stand for.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The whole name of the service.
    pub unit: String,
    pub user: Option<String>,
}

impl Names {
    /// The text with its specifiers spelt out; those that only the machine knows stay, and are named.
    pub fn spell_out(&self, text: &str) -> (String, Vec<String>) {
        let stem = self.unit.rsplit_once('.').map_or(self.unit.as_str(), |(stem, _)| stem);
        let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
        let mut spelt = String::with_capacity(text.len());
        let mut unknown = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            if character != '%' {
                spelt.push(character);
                continue;
            }
            let letter = characters.next();
            let meant = match letter {
                Some('%') => Some("%".to_owned()),
                Some('n') => Some(self.unit.clone()),
                Some('N') => Some(stem.to_owned()),
                Some('p' | 'P') => Some(prefix.to_owned()),
                Some('i') => Some(instance.to_owned()),
                Some('I') => Some(unescaped(instance)),
                Some('u') => Some(self.user.clone().unwrap_or_else(|| "root".to_owned())),
                Some('t') => Some("/run".to_owned()),
                Some('S') => Some("/var/lib".to_owned()),
                Some('C') => Some("/var/cache".to_owned()),
                Some('L') => Some("/var/log".to_owned()),
                Some('E') => Some("/etc".to_owned()),
                Some('T') => Some("/tmp".to_owned()),
                Some('V') => Some("/var/tmp".to_owned()),
                Some(_) | None => None,
            };
            match (meant, letter) {
                (Some(meant), _) => spelt.push_str(&meant),
                (None, Some(letter)) => {
                    spelt.extend(['%', letter]);
                    if letter.is_ascii_alphabetic() {
                        unknown.push(format!("%{letter}"));
                    }
                }
                (None, None) => spelt.push('%'),
            }
        }
        unknown.dedup();
        (spelt, unknown)
    }
}

/// `-` is `/`, and `\x2d` a byte.
fn unescaped(instance: &str) -> String {
    let mut bytes = Vec::with_capacity(instance.len());
    let mut rest = instance.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = behind.strip_prefix(b"x").and_then(|hex| hex.get(..2)).and_then(|hex| std::str::from_utf8(hex).ok());
        let escaped = hex.filter(|_| *first == b'\\').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (escaped, first) {
            (Some(byte), _) => {
                bytes.push(byte);
                rest = &behind[3..];
                continue;
            }
            (None, b'-') => bytes.push(b'/'),
            (None, other) => bytes.push(*other),
        }
        rest = behind;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The words of a text, by the rules of systemd: blanks part them, quotes hold them together, and backslashes stand for
/// what they do in C. Each with whether it stood without quotes. `None` if a quote does not close.
pub fn words(text: &str) -> Option<Vec<(String, bool)>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quote, mut is_word, mut is_bare) = (None, false, true);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', _) => {
                is_word = true;
                word.push_str(&escape(&mut characters));
            }
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.push(c),
            ('"' | '\'', None) if !is_word => (quote, is_word, is_bare) = (Some(character), true, false),
            (c, None) if c.is_whitespace() => {
                if std::mem::take(&mut is_word) {
                    words.push((std::mem::take(&mut word), std::mem::replace(&mut is_bare, true)));
                }
            }
            (c, None) => {
                is_word = true;
                word.push(c);
            }
        }
    }
    if quote.is_some() {
        return None;
    }
    if is_word {
        words.push((word, is_bare));
    }
    Some(words)
}

fn escape(characters: &mut std::str::Chars) -> String {
    let code = |digits: Option<String>, radix: u32| {
        digits.and_then(|digits| u32::from_str_radix(&digits, radix).ok()).and_then(char::from_u32)
    };
    let mut take = |count: usize| {
        let digits: String = characters.as_str().chars().take(count).collect();
        (digits.chars().count() == count).then(|| {
            for _ in 0..count {
                characters.next();
            }
            digits
        })
    };
    let Some(letter) = take(1) else {
        return "\\".to_owned();
    };
    let meant = match letter.as_str() {
        "a" => Some('\u{7}'),
        "b" => Some('\u{8}'),
        "f" => Some('\u{c}'),
        "n" => Some('\n'),
        "r" => Some('\r'),
        "t" => Some('\t'),
        "v" => Some('\u{b}'),
        "s" => Some(' '),
        "\\" => Some('\\'),
        "\"" => Some('"'),
        "'" => Some('\''),
        "x" => code(take(2), 16),
        "u" => code(take(4), 16),
        _ => None,
    };
    meant.map_or_else(|| format!("\\{letter}"), |meant| meant.to_string())
}

/// The commands of a line: several where `;` stands between them.
pub fn lines(value: &str, names: &Names) -> Result<Vec<Line>, String> {
    let words = words(value).ok_or("a quote does not close")?;
    let is_end = |(word, is_bare): &(String, bool)| *is_bare && word == ";";
    words.split(is_end).filter(|command| !command.is_empty()).map(|command| line(command, names)).collect()
}

fn line(words: &[(String, bool)], names: &Names) -> Result<Line, String> {
    let mut remarks = Vec::new();
    let (first, _) = &words[0];
    let program = first.trim_start_matches(['-', '@', ':', '+', '!', '|']);
    let prefix = &first[..first.len() - program.len()];
    let mut rest: Vec<(String, bool)> = vec![(program.to_owned(), true)];
    // With `@` the second word is what the program is told that it is called.
    let skipped = if prefix.contains('@') { 2 } else { 1 };
    rest.extend(words.iter().skip(skipped).cloned());
    if program.is_empty() {
        return Err("there is no program".to_owned());
    }
    if prefix.contains('@') {
        remarks.push("the name that `@` gives to the program was left behind".to_owned());
    }
    if prefix.contains(['+', '!']) {
        remarks.push("`+` or `!`: it ran with more rights than User= has; here it does not".to_owned());
    }
    let mut unknown = Vec::new();
    for (word, _) in &mut rest {
        let (spelt, left) = names.spell_out(word);
        *word = spelt;
        unknown.extend(left);
    }
    if !unknown.is_empty() {
        remarks.push(format!("{} is spelt out by systemd alone: write what it stands for", unknown.join(", ")));
    }
    let substitutes = !prefix.contains(':');
    let has_variable = |(word, _): &(String, bool)| substitutes && word.replace("$$", "").contains('$');
    let may_fail = prefix.contains('-');
    let literal = |word: &str| if substitutes { word.replace("$$", "$") } else { word.to_owned() };
    if !may_fail && !rest.iter().any(has_variable) {
        let words = rest.iter().map(|(word, _)| literal(word)).collect();
        return Ok(Line { act: Act::Words(words), remarks });
    }
    let shown: Vec<String> = rest
        .iter()
        .map(|word| if has_variable(word) { with_variables(&word.0, word.1) } else { shell_word(&literal(&word.0)) })
        .collect();
    let text = shown.join(" ");
    Ok(Line { act: Act::Text(if may_fail { format!("{text} || true") } else { text }), remarks })
}

/// A word with variables for a shell: `$NAME` alone is split at blanks, as systemd does, everything else is one word.
fn with_variables(word: &str, is_bare: bool) -> String {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_bare && word.strip_prefix('$').is_some_and(is_name) {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    let mut rest = word;
    while let Some(character) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix("$$") {
            quoted.push_str("\\$");
            rest = behind;
            continue;
        }
        if matches!(character, '"' | '\\' | '`') {
            quoted.push('\\');
        }
        quoted.push(character);
        rest = &rest[character.len_utf8()..];
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acts(value: &str) -> Vec<Act> {
        let names = Names { unit: "backup@srv-data.service".to_owned(), user: Some("alice".to_owned()) };
        lines(value, &names).unwrap().into_iter().map(|line| line.act).collect()
    }

    fn list(words: &[&str]) -> Act {
        Act::Words(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn commands_are_those_that_systemd_starts() {
        assert_eq!(acts("/bin/a b 'c d' \"e\\tf\""), [list(&["/bin/a", "b", "c d", "e\tf"])]);
        assert_eq!(acts("/bin/a ; /bin/b"), [list(&["/bin/a"]), list(&["/bin/b"])]);
        assert_eq!(
            acts("/bin/echo %i %I %p %n %u 100%%"),
            [list(&["/bin/echo", "srv-data", "srv/data", "backup", "backup@srv-data.service", "alice", "100%"])]
        );
        assert_eq!(acts("-/bin/rm -f /x"), [Act::Text("/bin/rm -f /x || true".to_owned())]);
        assert_eq!(acts("@/bin/a called b"), [list(&["/bin/a", "b"])]);
        assert_eq!(
            acts("/bin/a $OPTS ${X}y 'it is' $$5"),
            [Act::Text("/bin/a $OPTS \"${X}y\" 'it is' '$5'".to_owned())]
        );
        assert_eq!(acts(":/bin/a $X"), [list(&["/bin/a", "$X"])]);
        assert!(lines("/bin/a 'open", &Names::default()).is_err());
        assert!(lines("-", &Names::default()).is_err());
        let line = &lines("+/bin/a %H", &Names::default()).unwrap()[0];
        assert_eq!((line.remarks.len(), &line.act), (2, &list(&["/bin/a", "%H"])));
    }
}
