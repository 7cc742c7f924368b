//! What of an attempt's output is kept? The first half of the limit as it comes, and a ring with the last.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::scan::Scan;
use crate::job::OutputPattern;
use crate::run::{AttemptId, OutputPiece, Stream, base64_text};

/// One piece of output in the ledger is no larger.
const LARGEST_PIECE: usize = 64 << 10;
/// The tail has at least so many pieces, so that trimming it to the limit throws little away.
const TAIL_PIECES: u64 = 4;

#[derive(Debug, Serialize, Deserialize)]
pub struct Capture {
    id: AttemptId,
    scan: Option<Scan>,
    head_left: u64,
    tail_limit: u64,
    tail_bytes: u64,
    total: u64,
    head: Option<Piece>,
    tail: VecDeque<Piece>,
    /// Written pieces that have left the ring since the last flush.
    expired: Option<(u64, u64)>,
    ready: Vec<OutputPiece>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Piece {
    offset: u64,
    stream: Stream,
    at: Timestamp,
    #[serde(with = "base64_text")]
    data: Vec<u8>,
    /// Whether it is in the ledger, and must stay as it is.
    written: bool,
}

impl Piece {
    fn new(offset: u64, stream: Stream, at: Timestamp) -> Self {
        Self { offset, stream, at, data: Vec::new(), written: false }
    }

    fn end(&self) -> u64 {
        self.offset + self.data.len() as u64
    }

    /// How much of more output goes into it.
    fn room(&self, stream: Stream, largest: usize) -> usize {
        if self.written || self.stream != stream { 0 } else { largest.saturating_sub(self.data.len()) }
    }
}

impl Capture {
    /// Keeps `limit` bytes of one attempt, and looks at all of them for lines that `pattern` fits.
    pub fn new(id: AttemptId, limit: u64, pattern: Option<OutputPattern>) -> Self {
        Self {
            id,
            scan: pattern.map(Scan::new),
            head_left: limit - limit / 2,
            tail_limit: limit / 2,
            tail_bytes: 0,
            total: 0,
            head: None,
            tail: VecDeque::new(),
            expired: None,
            ready: Vec::new(),
        }
    }

    /// All that was written, kept or not.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether something waits for a flush.
    pub fn is_dirty(&self) -> bool {
        self.head.is_some() || self.tail.iter().any(|piece| !piece.written)
    }

    /// The first line that the pattern fits; to be asked when all is there.
    pub fn matched(&mut self) -> Option<String> {
        self.scan.take().and_then(Scan::finish)
    }

    pub fn push(&mut self, stream: Stream, at: Timestamp, data: &[u8]) {
        if let Some(scan) = &mut self.scan {
            scan.push(stream, data);
        }
        let for_head = usize::try_from(self.head_left).unwrap_or(usize::MAX).min(data.len());
        let (head, tail) = data.split_at(for_head);
        self.push_head(stream, at, head);
        self.push_tail(stream, at, tail);
    }

    fn push_head(&mut self, stream: Stream, at: Timestamp, mut data: &[u8]) {
        while !data.is_empty() {
            let room = self.head.as_ref().map_or(0, |piece| piece.room(stream, LARGEST_PIECE));
            if room == 0 {
                self.seal_head();
                self.head = Some(Piece::new(self.total, stream, at));
                continue;
            }
            let (now, later) = data.split_at(room.min(data.len()));
            if let Some(piece) = &mut self.head {
                piece.data.extend_from_slice(now);
            }
            self.total += now.len() as u64;
            self.head_left -= now.len() as u64;
            data = later;
        }
    }

    fn push_tail(&mut self, stream: Stream, at: Timestamp, data: &[u8]) {
        // Of a long write only its end can stay.
        let surplus = data.len().saturating_sub(usize::try_from(self.tail_limit).unwrap_or(usize::MAX));
        if surplus > 0 {
            self.total += surplus as u64;
            self.drop_tail();
        }
        let mut data = &data[surplus..];
        let largest = usize::try_from(self.tail_limit / TAIL_PIECES).unwrap_or(LARGEST_PIECE).clamp(1, LARGEST_PIECE);
        while !data.is_empty() {
            let room = self.tail.back().map_or(0, |piece| piece.room(stream, largest));
            if room == 0 {
                self.tail.push_back(Piece::new(self.total, stream, at));
                continue;
            }
            let (now, later) = data.split_at(room.min(data.len()));
            if let Some(piece) = self.tail.back_mut() {
                piece.data.extend_from_slice(now);
            }
            self.total += now.len() as u64;
            self.tail_bytes += now.len() as u64;
            data = later;
            self.trim();
        }
    }

    /// Lets whole pieces go that the limit no longer covers.
    fn trim(&mut self) {
        while let Some(first) = self.tail.front()
            && self.tail_bytes - first.data.len() as u64 >= self.tail_limit
        {
            self.pop_tail();
        }
    }

    fn drop_tail(&mut self) {
        while !self.tail.is_empty() {
            self.pop_tail();
        }
    }

    fn pop_tail(&mut self) {
        if let Some(gone) = self.tail.pop_front() {
            self.tail_bytes -= gone.data.len() as u64;
            if gone.written {
                self.expire(gone.offset, gone.end());
            }
        }
    }

    fn expire(&mut self, from: u64, to: u64) {
        let (first, _) = self.expired.unwrap_or((from, to));
        self.expired = Some((first, to));
    }

    fn seal_head(&mut self) {
        if let Some(piece) = self.head.take().filter(|piece| !piece.data.is_empty()) {
            self.ready.push(OutputPiece {
                id: self.id,
                offset: piece.offset,
                stream: piece.stream,
                at: piece.at,
                data: piece.data,
                expired: None,
            });
        }
    }

    /// Pieces that are full and go to the ledger now.
    pub fn take_ready(&mut self) -> Vec<OutputPiece> {
        std::mem::take(&mut self.ready)
    }

    /// All that the ledger does not have yet.
    pub fn flush(&mut self) -> Vec<OutputPiece> {
        self.seal_head();
        let mut pieces = self.take_ready();
        for piece in self.tail.iter_mut().filter(|piece| !piece.written) {
            piece.written = true;
            pieces.push(OutputPiece {
                id: self.id,
                offset: piece.offset,
                stream: piece.stream,
                at: piece.at,
                data: piece.data.clone(),
                expired: self.expired.take(),
            });
        }
        pieces
    }

    /// The last pieces, with the tail cut to the very byte.
    pub fn finish(mut self) -> Vec<OutputPiece> {
        let surplus = self.tail_bytes.saturating_sub(self.tail_limit);
        if surplus > 0
            && let Some(mut first) = self.tail.pop_front()
        {
            if first.written {
                self.expire(first.offset, first.end());
            }
            first.data.drain(..usize::try_from(surplus).unwrap_or(0).min(first.data.len()));
            first.offset += surplus;
            first.written = false;
            self.tail.push_front(first);
        }
        let mut pieces = self.flush();
        if let Some(expired) = self.expired.take() {
            // Everything that stays was written before; an empty piece carries the news.
            let id = self.id;
            let at = self.tail.back().map_or(Timestamp::UNIX_EPOCH, |piece| piece.at);
            let (offset, stream, data) = (self.total, Stream::Stdout, Vec::new());
            pieces.push(OutputPiece { id, offset, stream, at, data, expired: Some(expired) });
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunId;
    use std::collections::BTreeMap;

    /// What the ledger holds after all pieces were written.
    fn kept(pieces: Vec<OutputPiece>) -> BTreeMap<u64, Vec<u8>> {
        let mut rows = BTreeMap::new();
        for piece in pieces {
            if let Some((from, to)) = piece.expired {
                rows.retain(|offset, _| *offset < from || *offset >= to);
            }
            assert!(piece.data.len() <= LARGEST_PIECE);
            if !piece.data.is_empty() {
                assert!(rows.insert(piece.offset, piece.data).is_none(), "an offset is written twice");
            }
        }
        rows
    }

    fn byte(offset: usize) -> u8 {
        u8::try_from(offset % 251).unwrap()
    }

    /// Writes `total` bytes in pieces of `step`, flushing after every `flush` of them.
    #[track_caller]
    fn check(limit: u64, total: usize, step: usize, flush: usize) {
        let mut capture = Capture::new(AttemptId::whole(RunId(1), 1), limit, None);
        let mut pieces = Vec::new();
        let data: Vec<u8> = (0..total).map(byte).collect();
        for (number, chunk) in data.chunks(step).enumerate() {
            let stream = if number % 3 == 0 { Stream::Stderr } else { Stream::Stdout };
            capture.push(stream, Timestamp::UNIX_EPOCH, chunk);
            pieces.extend(capture.take_ready());
            if number % flush == 0 {
                pieces.extend(capture.flush());
            }
        }
        assert_eq!(capture.total(), total as u64);
        pieces.extend(capture.finish());
        let rows = kept(pieces);
        let bytes: usize = rows.values().map(Vec::len).sum();
        assert_eq!(bytes, total.min(usize::try_from(limit).unwrap()), "limit {limit}, {total} in {step}s");
        for (offset, data) in &rows {
            for (at, value) in data.iter().enumerate() {
                assert_eq!(*value, byte(usize::try_from(*offset).unwrap() + at));
            }
        }
        // A limit of one byte has a first half only.
        if let Some((offset, last)) = rows.last_key_value().filter(|_| limit > 1) {
            assert_eq!(usize::try_from(*offset).unwrap() + last.len(), total, "the end is kept");
            assert_eq!(rows.first_key_value().unwrap().0, &0, "the beginning is kept");
        }
    }

    #[test]
    fn the_first_and_the_last_half_are_kept_to_the_byte() {
        for limit in [2, 10, 1000, 64 << 10, 1 << 20] {
            for total in [0, 1, 9, 1000, 1001, 70_000, 300_000] {
                for step in [1000, 4096, 65_536] {
                    for flush in [1, 3, 1000] {
                        check(limit, total, step, flush);
                    }
                }
            }
        }
        check(100, 5000, 1, 7);
        check(1, 100, 10, 2);
    }

    #[test]
    fn a_limit_of_zero_keeps_nothing_and_counts_all() {
        let mut capture = Capture::new(AttemptId::whole(RunId(1), 1), 0, None);
        capture.push(Stream::Stdout, Timestamp::UNIX_EPOCH, &[7; 100]);
        assert_eq!(capture.total(), 100);
        assert!(kept(capture.finish()).is_empty());
    }
}
