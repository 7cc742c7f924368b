//! Pieces of output for programs: one JSON value each, no character cut in two.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::Time;
use crate::run::{RunId, Stream};
use crate::store::{News, PartId};

#[derive(Serialize)]
pub struct PieceReport<'o> {
    /// None of what is recorded nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
    attempt: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'o str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_attempt: Option<i64>,
    stream: Stream,
    at: Time,
    text: Cow<'o, str>,
}

impl<'o> PieceReport<'o> {
    /// JSON makes control characters visible by itself; what is no UTF-8 becomes U+FFFD.
    pub fn of(run: impl Into<Option<RunId>>, piece: &'o News) -> Self {
        Self {
            run: run.into(),
            attempt: piece.part.attempt,
            step: piece.step.as_ref().map(|step| step.name.as_str()),
            step_attempt: piece.step.as_ref().map(|step| step.attempt),
            stream: piece.stream,
            at: Time(piece.at),
            text: String::from_utf8_lossy(&piece.data),
        }
    }
}

#[derive(Serialize)]
pub struct CutReport<'o> {
    pub run: RunId,
    pub attempt: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<&'o str>,
    pub cut: u64,
}

/// Pieces end anywhere, also within a character: its beginning is kept back until the rest of it comes.
#[derive(Debug, Default)]
pub struct Joined {
    kept: BTreeMap<(PartId, Stream), News>,
}

impl Joined {
    /// A piece with what was kept back before it and without what is kept back now; none if nothing is left.
    pub fn take(&mut self, mut piece: News) -> Option<News> {
        let key = (piece.part, piece.stream);
        if let Some(kept) = self.kept.remove(&key) {
            piece.data.splice(0..0, kept.data);
        }
        let whole = piece.data.len() - begun(&piece.data);
        let rest = piece.data.split_off(whole);
        if !rest.is_empty() {
            self.kept.insert(key, News { data: rest, ..piece.clone() });
        }
        (!piece.data.is_empty()).then_some(piece)
    }

    /// What was kept back of a part whose output does not go on where it was.
    pub fn rest_of(&mut self, part: PartId) -> Vec<News> {
        let keys: Vec<_> = self.kept.keys().copied().filter(|(of, _)| *of == part).collect();
        keys.iter().filter_map(|key| self.kept.remove(key)).collect()
    }

    /// What was kept back, when nothing more comes.
    pub fn rest(&mut self) -> Vec<News> {
        std::mem::take(&mut self.kept).into_values().collect()
    }
}

/// How many bytes at the end begin a character that is not there as a whole.
fn begun(data: &[u8]) -> usize {
    let last = data.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let could_go_on = std::str::from_utf8(last).is_err_and(|error| error.error_len().is_none());
    if could_go_on { last.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn piece(step: i64, stream: Stream, data: &[u8]) -> News {
        let part = PartId { attempt: 1, step, step_attempt: 1 };
        News { part, step: None, offset: 0, stream, at: Timestamp::UNIX_EPOCH, data: data.to_vec() }
    }

    #[test]
    fn a_character_waits_for_its_rest() {
        for (data, expect) in [
            (&b"abc"[..], 0),
            (b"a\xe2\x82", 2),
            ("a€".as_bytes(), 0),
            (b"a\xff", 0),
            (b"\xf0\x9f\x98", 3),
            (b"\x80", 0),
            (b"", 0),
        ] {
            assert_eq!(begun(data), expect, "{data:?}");
        }
        let mut joined = Joined::default();
        let (out, err) = (Stream::Stdout, Stream::Stderr);
        let mut take = |piece: News| joined.take(piece).map(|piece| piece.data);
        assert_eq!(take(piece(0, out, b"a\xe2")), Some(b"a".to_vec()));
        assert_eq!(take(piece(0, err, b"!")), Some(b"!".to_vec()));
        assert_eq!(take(piece(1, out, b"\x82\xac")), Some(b"\x82\xac".to_vec()));
        assert_eq!(take(piece(0, out, b"\x82")), None);
        assert_eq!(take(piece(0, out, b"\xacb\xc3")), Some("€b".as_bytes().to_vec()));
        assert_eq!(joined.rest_of(PartId { attempt: 1, step: 1, step_attempt: 1 }), []);
        assert_eq!(joined.rest().into_iter().map(|rest| rest.data).collect::<Vec<_>>(), [b"\xc3".to_vec()]);
        assert_eq!(joined.rest(), []);
    }
}
