//! What becomes of a body as it comes in? It is counted, and held or written down only where somebody asks for it.

use std::io;
use std::path::Path;

use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use super::page::{Change, Draft};
use crate::job::Http;
use crate::web::{Answer, Trouble};

/// A body up to this size is held without waiting for a turn.
const SMALL: usize = 64 << 10;
/// What all larger bodies that are held may come to, in MiB, by their limits.
static HELD: Semaphore = Semaphore::const_new(MOST_HELD as usize);
const MOST_HELD: u32 = 256;

/// Why a body was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error("cannot save it: {0}")]
    Disk(#[from] io::Error),
}

/// Where a body is saved.
#[derive(Debug, Clone, Copy)]
pub struct Shelf<'s> {
    pub folder: &'s Path,
    pub url: &'s Url,
    /// Who writes, among all who write there.
    pub writer: &'s str,
}

/// A body that was taken in.
#[derive(Debug)]
pub struct Body {
    /// Nothing, unless it is to be looked into.
    pub held: Vec<u8>,
    draft: Option<Draft>,
    /// Held with it, if it is large.
    turn: Option<SemaphorePermit<'static>>,
}

impl Body {
    /// Reads a body to its end; `size` counts what has come.
    pub async fn take_in(
        answer: &mut Answer,
        http: &Http,
        shelf: Option<Shelf<'_>>,
        size: &mut u64,
    ) -> Result<Self, BodyError> {
        let is_held = http.expected.body.is_some() || !http.expected.json.is_empty();
        let mut body = Self { held: Vec::new(), draft: None, turn: None };
        if let Some(Shelf { folder, url, writer }) = shelf {
            body.draft = Some(Draft::begin(folder, url, writer).await?);
        }
        while let Some(chunk) = answer.chunk().await? {
            *size += chunk.len() as u64;
            if let Some(draft) = &mut body.draft {
                draft.write(&chunk).await?;
            }
            if is_held {
                if body.turn.is_none() && body.held.len() + chunk.len() > SMALL {
                    body.turn = HELD.acquire_many(mebibytes(http.body_limit)).await.ok();
                }
                body.held.extend_from_slice(&chunk);
            }
        }
        Ok(body)
    }

    /// Keeps it, if it is to be kept.
    pub async fn keep(self) -> io::Result<Option<Change>> {
        match self.draft {
            Some(draft) => draft.finish().await.map(Some),
            None => Ok(None),
        }
    }
}

fn mebibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(MOST_HELD).clamp(1, MOST_HELD)
}
