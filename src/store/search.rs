//! Which runs wrote this?
//!
//! The index of trigrams says where a text may stand; the output itself says whether it does. What the index has not reached
//! yet is read directly, so that an answer never depends on how far it came.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use regex::bytes::Regex;
use serde_json::json;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::open::Reader;
use crate::run::RunId;

/// A ledger that no daemon of this version has opened yet has no index.
const HAS_INDEX: &str = "SELECT count(*) FROM sqlite_master WHERE name = 'search_reached'";

const REACHED: &str = "SELECT run FROM search_reached";

const LEFT_OUT: &str = "SELECT run, run FROM search_left_out";

const TEXTS: &str = "
SELECT first, last FROM search_texts WHERE number IN (SELECT rowid FROM search WHERE search MATCH $1)";

const WRITTEN: &str = "
SELECT run, attempt, step, step_attempt, \"offset\", data FROM output
WHERE run IN (SELECT value FROM json_each($1))
ORDER BY run, attempt, step, step_attempt, \"offset\"";

/// A text is looked up by its first characters; texts of the index overlap by what they can be in bytes.
const LOOKED_UP: usize = 64;
/// Characters in an entry of the index.
const TRIGRAM: usize = 3;
/// A longer line is looked at in parts, so that a file without line breaks does not fill the memory.
const LONGEST_LINE: usize = 1 << 20;
/// What two such parts have in common.
const OVERLAP: usize = 4096;

/// Runs in whose output a text may stand: ranges of their numbers, both ends included, in order and apart from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    pub ranges: Vec<(i64, i64)>,
}

/// A line that fits, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLine {
    pub text: Vec<u8>,
    pub at: usize,
}

impl Candidates {
    pub fn all() -> Self {
        Self { ranges: vec![(i64::MIN, i64::MAX)] }
    }

    fn of(mut ranges: Vec<(i64, i64)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut().filter(|before| first <= before.1.saturating_add(1)) {
                Some(before) => before.1 = before.1.max(last),
                None => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    pub fn contain(&self, run: RunId) -> bool {
        let behind = self.ranges.partition_point(|(first, _)| *first <= run.0);
        behind.checked_sub(1).is_some_and(|at| run.0 <= self.ranges[at].1)
    }

    /// How many runs they are at most, up to the newest there is.
    pub fn count(&self, newest: RunId) -> u64 {
        let count = |(first, last): &(i64, i64)| (*last).min(newest.0).saturating_sub(*first).saturating_add(1).max(0);
        self.ranges.iter().map(count).fold(0, |sum, count| sum.saturating_add(count.unsigned_abs()))
    }
}

impl Reader {
    /// Where a text may stand, case aside. All runs, if it is too short for the index.
    pub async fn candidates(&self, text: &str) -> Result<Candidates, sqlx::Error> {
        let Some(question) = question(text) else {
            return Ok(Candidates::all());
        };
        if sqlx::query_scalar::<_, i64>(HAS_INDEX).fetch_one(&self.pool).await? == 0 {
            return Ok(Candidates::all());
        }
        // What is not in the index is asked for first: what comes into it meanwhile is then found twice, and never not at all.
        let reached: i64 = sqlx::query_scalar(REACHED).fetch_one(&self.pool).await?;
        let mut ranges: Vec<(i64, i64)> = sqlx::query_as(LEFT_OUT).fetch_all(&self.pool).await?;
        ranges.push((reached.saturating_add(1), i64::MAX));
        let texts: Vec<(i64, i64)> = sqlx::query_as(TEXTS).bind(question).fetch_all(&self.pool).await?;
        ranges.extend(texts);
        Ok(Candidates::of(ranges))
    }

    /// The highest number of a run.
    pub async fn newest_run(&self) -> Result<RunId, sqlx::Error> {
        let newest: Option<i64> = sqlx::query_scalar("SELECT max(run) FROM runs").fetch_one(&self.pool).await?;
        Ok(RunId(newest.unwrap_or(0)))
    }

    /// The first line of all that each of these runs wrote, in whichever attempt or step, that fits.
    pub async fn first_lines(
        &self,
        runs: &[RunId],
        pattern: &Regex,
    ) -> Result<BTreeMap<RunId, FoundLine>, sqlx::Error> {
        let mut rows = sqlx::query(WRITTEN).bind(json!(runs).to_string()).fetch(&self.pool);
        let mut found = BTreeMap::new();
        let mut lines = Lines { pattern, rest: Vec::new() };
        let mut before: Option<(RunId, Place)> = None;
        while let Some(row) = rows.try_next().await? {
            let run = RunId(row.get("run"));
            let (place, behind, data) = place(&row);
            // Behind a cut nothing goes on.
            if let Some((run_before, _)) = before.filter(|before| *before != (run, place)) {
                lines.end().into_iter().for_each(|line| note(&mut found, run_before, line));
            }
            if !found.contains_key(&run) {
                lines.push(data).into_iter().for_each(|line| note(&mut found, run, line));
            }
            before = Some((run, behind));
        }
        if let Some((run, _)) = before {
            lines.end().into_iter().for_each(|line| note(&mut found, run, line));
        }
        Ok(found)
    }
}

fn note(found: &mut BTreeMap<RunId, FoundLine>, run: RunId, line: FoundLine) {
    found.entry(run).or_insert(line);
}

/// Attempt, step, its attempt, and how much it had written.
pub type Place = (i64, i64, i64, i64);

/// Where a piece of output begins, where it ends, and what it is.
pub fn place(row: &SqliteRow) -> (Place, Place, &[u8]) {
    let (offset, data): (i64, &[u8]) = (row.get("offset"), row.get("data"));
    let (attempt, step, step_attempt) = (row.get("attempt"), row.get("step"), row.get("step_attempt"));
    let behind = offset.saturating_add(i64::try_from(data.len()).unwrap_or(i64::MAX));
    ((attempt, step, step_attempt, offset), (attempt, step, step_attempt, behind), data)
}

/// Output as it comes, line by line.
struct Lines<'p> {
    pattern: &'p Regex,
    /// What has no end yet.
    rest: Vec<u8>,
}

impl Lines<'_> {
    fn push(&mut self, data: &[u8]) -> Option<FoundLine> {
        self.rest.extend_from_slice(data);
        let is_too_long = self.rest.len() > LONGEST_LINE;
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let (end, kept) = match end {
            Some(end) => (end, 0),
            None if is_too_long => (self.rest.len(), OVERLAP),
            None => return None,
        };
        let found = self.look(end);
        self.rest.drain(..end - kept);
        found
    }

    fn end(&mut self) -> Option<FoundLine> {
        let found = self.look(self.rest.len());
        self.rest.clear();
        found
    }

    fn look(&self, end: usize) -> Option<FoundLine> {
        self.rest[..end].split(|byte| *byte == b'\n').find_map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let found = self.pattern.find(line)?;
            Some(FoundLine { text: line.to_owned(), at: found.start() })
        })
    }
}

/// The trigrams of a text, all of which have to be there; `None` if it has none.
fn question(text: &str) -> Option<String> {
    let characters: Vec<char> = text.chars().take(LOOKED_UP).collect();
    let mut trigrams: Vec<String> = characters.windows(TRIGRAM).map(|trigram| trigram.iter().collect()).collect();
    trigrams.sort_unstable();
    trigrams.dedup();
    let quoted = trigrams.iter().map(|trigram| format!("\"{}\"", trigram.replace('"', "\"\"")));
    (!trigrams.is_empty()).then(|| quoted.collect::<Vec<_>>().join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_asked_for_by_its_trigrams() {
        assert_eq!(question("ab"), None);
        assert_eq!(question("äöü").unwrap(), "\"äöü\"");
        assert_eq!(question("a\"b*").unwrap(), "\"\"\"b*\" AND \"a\"\"b\"");
        assert_eq!(question("aaaaaa").unwrap(), "\"aaa\"");
    }

    #[test]
    fn ranges_that_meet_are_one() {
        let candidates = Candidates::of(vec![(9, i64::MAX), (5, 5), (1, 3), (2, 4)]);
        assert_eq!(candidates.ranges, [(1, 5), (9, i64::MAX)]);
        let of = |run| candidates.contain(RunId(run));
        assert_eq!([0, 1, 5, 6, 8, 9, i64::MAX].map(of), [false, true, true, false, false, true, true]);
        assert_eq!(candidates.count(RunId(10)), 7);
        assert_eq!(candidates.count(RunId(2)), 2);
    }

    #[test]
    fn lines_are_found_across_pieces() {
        let pattern = Regex::new("needle$").unwrap();
        let check = |pieces: &[&[u8]], expect: Option<(&str, usize)>| {
            let mut lines = Lines { pattern: &pattern, rest: Vec::new() };
            let found = pieces.iter().find_map(|piece| lines.push(piece)).or_else(|| lines.end());
            let found = found.as_ref().map(|found| (std::str::from_utf8(&found.text).unwrap(), found.at));
            assert_eq!(found, expect);
        };
        check(&[b"hay\na nee", b"dle\nhay"], Some(("a needle", 2)));
        check(&[b"hay\na nee", b"dle"], Some(("a needle", 2)));
        check(&[b"needle\r\n"], Some(("needle", 0)));
        check(&[b"needles\nneedle in hay\n"], None);
        // A line without an end is looked at in parts, and what stands where it was cut is found all the same.
        let (long, part) = (vec![b'x'; LONGEST_LINE], "x".repeat(OVERLAP - 3) + "needle");
        check(&[&long, b"xnee", b"dle\n"], Some((&part, OVERLAP - 3)));
    }
}
