//! How is a body kept on disk? Whole or not at all: under a name of its own until it is complete, then in place of the last.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use url::Url;

use crate::schedule::fingerprint;

/// Every operation on a file takes a thread while it lasts.
static DISK: Semaphore = Semaphore::const_new(4);
/// A file's name has 255 bytes at most, of which some are for what tells it from others.
const LONGEST_NAME: usize = 150;
const COMPARED: usize = 64 << 10;

/// How a page is compared with the one that was saved last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    First,
    Same,
    Changed,
}

/// A page that is being written; dropped before it is complete, it leaves nothing.
#[derive(Debug)]
pub struct Draft {
    file: File,
    remains: Remains,
    path: PathBuf,
}

/// A file that goes with its last owner.
#[derive(Debug)]
struct Remains(PathBuf);

impl Drop for Remains {
    fn drop(&mut self) {
        // It is not there if it has become the page.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Draft {
    /// `writer` tells it from the drafts of others who write the same page.
    pub async fn begin(folder: &Path, url: &Url, writer: &str) -> io::Result<Self> {
        let name = file_name(url);
        let remains = Remains(folder.join(format!(".{name}.{writer}.new")));
        let _turn = DISK.acquire().await;
        let file = File::options().write(true).create_new(true).open(&remains.0).await?;
        Ok(Self { file, remains, path: folder.join(name) })
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let _turn = DISK.acquire().await;
        self.file.write_all(bytes).await?;
        self.file.flush().await
    }

    /// Puts it in place of the last one, unless that is the same.
    pub async fn finish(self) -> io::Result<Change> {
        let _turn = DISK.acquire().await;
        self.file.sync_all().await?;
        let change = compare(&self.remains.0, &self.path).await?;
        if change != Change::Same {
            fs::rename(&self.remains.0, &self.path).await?;
        }
        Ok(change)
    }
}

async fn compare(new: &Path, old: &Path) -> io::Result<Change> {
    let mut old = match File::open(old).await {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Change::First),
        Err(error) => return Err(error),
    };
    let mut new = File::open(new).await?;
    let mut left = old.metadata().await?.len();
    if left != new.metadata().await?.len() {
        return Ok(Change::Changed);
    }
    let (mut of_old, mut of_new) = (vec![0; COMPARED], vec![0; COMPARED]);
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(COMPARED).min(COMPARED);
        old.read_exact(&mut of_old[..length]).await?;
        new.read_exact(&mut of_new[..length]).await?;
        if of_old[..length] != of_new[..length] {
            return Ok(Change::Changed);
        }
        left -= length as u64;
    }
    Ok(Change::Same)
}

/// A name that no other address has: `a.example_health`, and where that leaves something out, with a hash of it all.
pub fn file_name(url: &Url) -> String {
    let whole = url.as_str();
    let address = whole.split_once("://").map_or(whole, |(_, rest)| rest);
    // The slash that every address of a host alone ends in.
    let address = if url.path() == "/" { address.strip_suffix('/').unwrap_or(address) } else { address };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let readable: String = address.chars().take(LONGEST_NAME).map(|c| if is_plain(c) { c } else { '_' }).collect();
    let readable = readable.trim_matches(['.', '_']);
    let is_whole = readable.len() == address.len() && address.chars().all(|c| is_plain(c) || c == '/');
    if is_whole && url.scheme() == "https" {
        return readable.to_owned();
    }
    format!("{readable}-{}", fingerprint(whole.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_safe_and_never_of_two_addresses() {
        let long = format!("https://a.example/{}", "x".repeat(500));
        let urls = [
            "https://a.example/",
            "https://a.example/health",
            "https://a.example/health/",
            "http://a.example/health",
            "https://a.example:8443/health",
            "https://a.example/health?x=1",
            "https://a.example/health?x=2",
            "https://a.example/a/b",
            "https://a.example/a_b",
            "https://a.example/a%2Fb",
            "https://a.example/..%2f..%2fetc",
            "https://a.example//",
            "https://[::1]/",
            "https://a.example.",
            "https://a.example/health.",
            "https://a.example/%00",
            long.as_str(),
        ];
        let names: HashSet<String> = urls.iter().map(|url| file_name(&url.parse().unwrap())).collect();
        assert_eq!(names.len(), urls.len(), "{names:#?}");
        for name in &names {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            assert!(name.chars().all(allowed) && !name.starts_with('.') && name.len() < 200, "{name}");
        }
        assert!(names.contains("a.example") && names.contains("a.example_health"), "{names:#?}");
    }
}
