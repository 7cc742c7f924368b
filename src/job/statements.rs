//! Where does one SQL statement end and the next begin? As `psql` and `sqlite3` see it; what a statement does is the
//! server's to say.

use serde::{Serialize, Serializer};

/// Whose SQL it is: they quote and comment differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    Sqlite,
}

/// One statement, without the comments before it and the semicolon behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub text: String,
    /// On which line of the text that it was cut from it begins, from 1.
    pub line: usize,
    pub class: Class,
}

/// What can be expected of a statement, by its first words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It asks for rows.
    Query,
    /// It changes rows, and returns none.
    Change,
    /// It begins or ends a transaction.
    Transaction,
    /// Whatever comes tells.
    Other,
}

/// Something was opened and not closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} that begins on line {line} has no end")]
pub struct Unfinished {
    pub what: &'static str,
    pub line: usize,
}

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// The statements of a text; none where it holds nothing but comments.
pub fn split(text: &str, dialect: Dialect) -> Result<Vec<Statement>, Unfinished> {
    let mut lexer = Lexer { text, at: 0, dialect };
    let mut statements = Vec::new();
    let mut draft: Option<Draft> = None;
    while let Some((start, token)) = lexer.next()? {
        let draft_now = draft.get_or_insert_with(|| Draft::at(start));
        let is_end = token == Token::Semicolon && draft_now.may_end(dialect);
        if !is_end {
            draft_now.push(token, dialect);
        } else if let Some(done) = draft.take().filter(|done| done.start < start) {
            statements.push(done.finish(text, start));
        }
    }
    statements.extend(draft.map(|last| last.finish(text, text.trim_end().len())));
    Ok(statements)
}

/// What a statement is made of, as far as its end depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// In capitals.
    Word(String),
    Open,
    Close,
    Semicolon,
    /// Quoted, a number or an operator.
    Other,
}

/// A statement of which the end was not seen yet.
#[derive(Debug)]
struct Draft {
    start: usize,
    /// The first words outside brackets, by which it is known what it is.
    words: Vec<String>,
    /// What a WITH leads to.
    verb: Option<String>,
    returning: bool,
    brackets: usize,
    /// BEGIN ATOMIC and CASE that wait for their END in the body of a routine.
    bodies: usize,
    in_brackets: bool,
    last: Option<Token>,
    last_but_one: Option<Token>,
}

/// `CREATE OR REPLACE FUNCTION` and `CREATE TEMP TRIGGER` are told by so many.
const TELLING_WORDS: usize = 4;
const VERBS: [&str; 7] = ["SELECT", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE"];

impl Draft {
    fn at(start: usize) -> Self {
        Self {
            start,
            words: Vec::new(),
            verb: None,
            returning: false,
            brackets: 0,
            bodies: 0,
            in_brackets: false,
            last: None,
            last_but_one: None,
        }
    }

    /// Whether a semicolon here ends the statement.
    fn may_end(&self, dialect: Dialect) -> bool {
        match dialect {
            // A rule may hold statements in brackets, the body of a routine has them without.
            Dialect::Postgres => self.brackets == 0 && self.bodies == 0,
            // A trigger goes on until `; END ;`, as sqlite3_complete() has it.
            Dialect::Sqlite => {
                let ends = self.last.as_ref().is_some_and(|last| is(last, "END"));
                !self.is_trigger() || ends && self.last_but_one == Some(Token::Semicolon)
            }
        }
    }

    fn push(&mut self, token: Token, dialect: Dialect) {
        match &token {
            Token::Open => {
                self.in_brackets |= self.last.is_none();
                self.brackets += 1;
            }
            Token::Close => self.brackets = self.brackets.saturating_sub(1),
            Token::Word(word) if self.brackets == 0 => {
                self.returning |= word == "RETURNING";
                if self.verb.is_none() && VERBS.contains(&word.as_str()) {
                    self.verb = Some(word.clone());
                }
                if dialect == Dialect::Postgres && self.is_routine() {
                    self.nest(word);
                }
                if self.words.len() < TELLING_WORDS {
                    self.words.push(word.clone());
                }
            }
            Token::Word(_) | Token::Semicolon | Token::Other => {}
        }
        self.last_but_one = self.last.replace(token);
    }

    fn nest(&mut self, word: &str) {
        match word {
            "BEGIN" => self.bodies += 1,
            "CASE" if self.bodies > 0 => self.bodies += 1,
            "END" => self.bodies = self.bodies.saturating_sub(1),
            _ => {}
        }
    }

    fn is_routine(&self) -> bool {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        matches!(
            words[..],
            ["CREATE", "FUNCTION" | "PROCEDURE", ..] | ["CREATE", "OR", "REPLACE", "FUNCTION" | "PROCEDURE"]
        )
    }

    fn is_trigger(&self) -> bool {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        matches!(words[..], ["CREATE", "TRIGGER", ..] | ["CREATE", "TEMP" | "TEMPORARY", "TRIGGER", ..])
    }

    fn finish(self, text: &str, end: usize) -> Statement {
        let line = line_of(text, self.start);
        Statement { text: text[self.start..end].trim_end().to_owned(), line, class: self.class() }
    }

    fn class(&self) -> Class {
        let change = if self.returning { Class::Query } else { Class::Change };
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let verb = match words.first() {
            Some(&"WITH") => self.verb.as_deref().unwrap_or_default(),
            Some(first) if !self.in_brackets => first,
            Some(_) | None if self.in_brackets => "SELECT",
            Some(_) | None => "",
        };
        match verb {
            "SELECT" | "VALUES" | "TABLE" | "SHOW" | "EXPLAIN" | "FETCH" => Class::Query,
            "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "REPLACE" => change,
            // ROLLBACK TO goes back within a transaction.
            "ROLLBACK" if words.contains(&"TO") => Class::Other,
            "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" => Class::Transaction,
            _ => Class::Other,
        }
    }
}

fn is(token: &Token, expected: &str) -> bool {
    match token {
        Token::Word(word) => word == expected,
        Token::Open | Token::Close | Token::Semicolon | Token::Other => false,
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    dialect: Dialect,
}

impl Lexer<'_> {
    /// The next token and where it begins; what is quoted is one.
    fn next(&mut self) -> Result<Option<(usize, Token)>, Unfinished> {
        self.skip_space()?;
        let start = self.at;
        let rest = &self.text[start..];
        let Some(first) = rest.chars().next() else {
            return Ok(None);
        };
        let is_postgres = self.dialect == Dialect::Postgres;
        let token = match first {
            '(' => self.symbol(Token::Open),
            ')' => self.symbol(Token::Close),
            ';' => self.symbol(Token::Semicolon),
            '\'' => self.quoted("a text", '\'', false)?,
            '"' => self.quoted("a name in quotes", '"', false)?,
            '`' if !is_postgres => self.quoted("a name in quotes", '`', false)?,
            '[' if !is_postgres => self.quoted("a name in brackets", ']', false)?,
            '$' if is_postgres => self.dollar()?,
            'e' | 'E' if is_postgres && rest[1..].starts_with('\'') => {
                self.at += 1;
                self.quoted("a text", '\'', true)?
            }
            first if is_word(first) => self.word(),
            other => {
                self.at += other.len_utf8();
                Token::Other
            }
        };
        Ok(Some((start, token)))
    }

    fn symbol(&mut self, token: Token) -> Token {
        self.at += 1;
        token
    }

    /// Letters, digits and `$`, so that a name such as `a$b$` opens no quote. A number is one as well.
    fn word(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !is_word(c) && c != '$').unwrap_or(rest.len());
        self.at += length;
        Token::Word(rest[..length].to_ascii_uppercase())
    }

    /// A doubled quote closes one text and opens the next, which comes to the same.
    fn quoted(&mut self, what: &'static str, close: char, escapes: bool) -> Result<Token, Unfinished> {
        let start = self.at;
        let mut characters = self.text[start..].char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            if escapes && character == '\\' {
                characters.next();
            } else if character == close {
                self.at = start + at + close.len_utf8();
                return Ok(Token::Other);
            }
        }
        Err(self.unfinished(what, start))
    }

    /// `$$ … $$` or `$tag$ … $tag$`; a `$1` is none.
    fn dollar(&mut self) -> Result<Token, Unfinished> {
        let start = self.at;
        let rest = &self.text[start + 1..];
        let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let is_tag = rest[length..].starts_with('$') && !rest.starts_with(|c: char| c.is_ascii_digit());
        if !is_tag {
            self.at += 1;
            return Ok(Token::Other);
        }
        let tag = &self.text[start..start + length + 2];
        let body = start + tag.len();
        let end = self.text[body..].find(tag).ok_or_else(|| self.unfinished("a text in dollar quotes", start))?;
        self.at = body + end + tag.len();
        Ok(Token::Other)
    }

    fn skip_space(&mut self) -> Result<(), Unfinished> {
        loop {
            let rest = &self.text[self.at..];
            if rest.starts_with("--") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.skip_comment()?;
            } else if let Some(space) = rest.chars().next().filter(|c| c.is_whitespace() || *c == '\u{feff}') {
                self.at += space.len_utf8();
            } else {
                return Ok(());
            }
        }
    }

    fn skip_comment(&mut self) -> Result<(), Unfinished> {
        let start = self.at;
        let mut depth = 0;
        loop {
            let rest = &self.text[self.at..];
            // PostgreSQL nests comments, SQLite does not.
            if rest.starts_with("/*") && (depth == 0 || self.dialect == Dialect::Postgres) {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else if let Some(other) = rest.chars().next() {
                self.at += other.len_utf8();
            } else {
                return Err(self.unfinished("a comment", start));
            }
        }
    }

    fn unfinished(&self, what: &'static str, start: usize) -> Unfinished {
        Unfinished { what, line: line_of(self.text, start) }
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(dialect: Dialect, text: &str, expect: &[&str]) {
        let statements = split(text, dialect).unwrap();
        assert_eq!(statements.iter().map(|one| one.text.as_str()).collect::<Vec<_>>(), expect, "{text}");
    }

    #[test]
    fn a_semicolon_ends_a_statement_but_not_where_it_is_quoted() {
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            check(dialect, "", &[]);
            check(dialect, " ; ;-- nothing;\n/* and; nothing */", &[]);
            check(dialect, "SELECT 1", &["SELECT 1"]);
            check(dialect, "a;b ; c\n", &["a", "b", "c"]);
            check(dialect, "SELECT ';', 'it''s;', \"a;\"\"b\"; b", &["SELECT ';', 'it''s;', \"a;\"\"b\"", "b"]);
            check(dialect, "SELECT 'back\\'; b", &["SELECT 'back\\'", "b"]);
            check(dialect, "-- one;\na -- two;\n, 'ä'; /* ; ' */ b /* ; */", &["a -- two;\n, 'ä'", "b /* ; */"]);
            check(dialect, "\u{feff}SELECT größe FROM tür; b", &["SELECT größe FROM tür", "b"]);
        }
    }

    #[test]
    fn postgres_has_its_own_quotes() {
        let check = |text: &str, expect: &[&str]| check(Dialect::Postgres, text, expect);
        check("SELECT E'it\\'s;' ; b", &["SELECT E'it\\'s;'", "b"]);
        check("SELECT e'\\\\'; b", &["SELECT e'\\\\'", "b"]);
        check("SELECT name'x\\'; b", &["SELECT name'x\\'", "b"]);
        check("DO $$ BEGIN a; END $$; b", &["DO $$ BEGIN a; END $$", "b"]);
        check("DO $x$ a; $$ ; $y$ $x$; b", &["DO $x$ a; $$ ; $y$ $x$", "b"]);
        check("SELECT $1; SELECT a$b$; c", &["SELECT $1", "SELECT a$b$", "c"]);
        check("/* a /* b; */ c; */ d; e", &["d", "e"]);
        check("SELECT arr[1;]", &["SELECT arr[1", "]"]);
        check("CREATE RULE r AS ON INSERT TO t DO (a; b); c", &["CREATE RULE r AS ON INSERT TO t DO (a; b)", "c"]);
        let routine = "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC a; SELECT CASE WHEN b THEN c END; d; END";
        check(&format!("{routine}; e"), &[routine, "e"]);
        check("BEGIN; a; END; b", &["BEGIN", "a", "END", "b"]);
    }

    #[test]
    fn sqlite_has_its_own_quotes_and_triggers() {
        let check = |text: &str, expect: &[&str]| check(Dialect::Sqlite, text, expect);
        check("SELECT `a;`, [b;]; c", &["SELECT `a;`, [b;]", "c"]);
        check("/* a /* b; */ c; d", &["c", "d"]);
        check("SELECT $$; b", &["SELECT $$", "b"]);
        let trigger = "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET c = CASE WHEN d THEN 1 END; DELETE \
                       FROM e; END";
        check(&format!("{trigger}; f"), &[trigger, "f"]);
        check("BEGIN; a; END; b", &["BEGIN", "a", "END", "b"]);
    }

    #[test]
    fn what_has_no_end_says_where_it_begins() {
        for (dialect, text, expect) in [
            (Dialect::Postgres, "a;\nb 'c;\n", "a text that begins on line 2 has no end"),
            (Dialect::Postgres, "a\n\"", "a name in quotes that begins on line 2 has no end"),
            (Dialect::Postgres, "$a$ $$", "a text in dollar quotes that begins on line 1 has no end"),
            (Dialect::Postgres, "/* /* */", "a comment that begins on line 1 has no end"),
            (Dialect::Sqlite, "SELECT [a", "a name in brackets that begins on line 1 has no end"),
        ] {
            assert_eq!(split(text, dialect).unwrap_err().to_string(), expect, "{text}");
        }
    }

    #[test]
    fn lines_are_those_on_which_statements_begin() {
        let statements = split("a;\n-- comment\n\nb\n;c", Dialect::Postgres).unwrap();
        assert_eq!(statements.iter().map(|one| one.line).collect::<Vec<_>>(), [1, 4, 5]);
    }

    #[test]
    fn the_first_words_tell_what_to_expect() {
        for (text, expect) in [
            ("select 1", Class::Query),
            ("(SELECT 1) UNION SELECT 2", Class::Query),
            ("WITH a AS (DELETE FROM b RETURNING c) SELECT 1", Class::Query),
            ("WITH a AS (SELECT 1) UPDATE b SET c = 1", Class::Change),
            ("INSERT INTO a VALUES (1)", Class::Change),
            ("INSERT INTO a VALUES (1) RETURNING b", Class::Query),
            ("INSERT INTO a SELECT (1)", Class::Change),
            ("CREATE TABLE a (b)", Class::Other),
            ("VACUUM", Class::Other),
            ("begin", Class::Transaction),
            ("ROLLBACK TO a", Class::Other),
            ("ROLLBACK", Class::Transaction),
        ] {
            assert_eq!(split(text, Dialect::Postgres).unwrap()[0].class, expect, "{text}");
        }
    }
}
