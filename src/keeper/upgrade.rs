//! How does another version of the program take the keeper's place without losing what it keeps? By exec, which leaves the
//! process, its children and its open descriptors as they are; the rest waits in a file in memory.

use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use serde::{Deserialize, Serialize};

use super::protocol::PROTOCOL;
use super::ward::{Record, Ward};

/// The variable in which the next program finds the number of the file.
const INHERITANCE: &str = "PUNCTUAL_KEEPER_INHERITANCE";

/// What is handed on, with descriptors by their numbers.
#[derive(Debug, Serialize, Deserialize)]
struct Inheritance {
    protocol: u32,
    wards: Vec<(Record, [Option<RawFd>; 2])>,
    in_force: Option<String>,
}

/// The same, in the hands of the next program.
#[derive(Debug)]
pub struct Inherited {
    pub wards: Vec<Ward>,
    /// The job file that is in force, as the scheduler has told it.
    pub in_force: Option<String>,
}

/// Where this program's file is, or was before another one took its place.
pub fn own_program() -> io::Result<PathBuf> {
    // proc(5) says so of a file that is gone.
    const GONE: &[u8] = b" (deleted)";
    let path = fs::read_link("/proc/self/exe")?;
    let bytes = path.as_os_str().as_bytes();
    Ok(PathBuf::from(OsStr::from_bytes(bytes.strip_suffix(GONE).unwrap_or(bytes))))
}

/// Whether another file is now where this program's was. One that is gone altogether is not replaced yet.
pub fn was_replaced(program: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino()));
    match (identity(program), identity(Path::new("/proc/self/exe"))) {
        (Ok(now), Ok(own)) => now != own,
        _ => false,
    }
}

/// What this program inherits from the one whose place it takes; none where it was started afresh.
pub fn inherit() -> io::Result<Option<Inherited>> {
    let Some(number) = std::env::var(INHERITANCE).ok().and_then(|text| text.parse().ok()) else {
        return Ok(None);
    };
    let mut text = Vec::new();
    File::from(owned(number)).read_to_end(&mut text)?;
    let Inheritance { wards, in_force, .. } = serde_json::from_slice(&text)?;
    let ward =
        |(record, pipes): (Record, [Option<RawFd>; 2])| Ward::inherited(record, pipes.map(|pipe| pipe.map(owned)));
    Ok(Some(Inherited { wards: wards.into_iter().map(ward).collect(), in_force }))
}

/// A descriptor that this program was left by the one before it.
fn owned(number: RawFd) -> OwnedFd {
    // SAFETY: the program before has let go of it for this one to own, and each number is taken once, at the very start.
    #[expect(unsafe_code, reason = "a number is all that outlives an exec")]
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    // It was let through this one exec, and no other.
    let _ = fcntl_setfd(&descriptor, FdFlags::CLOEXEC);
    descriptor
}

/// Has the program at `path` take this one's place with these arguments; comes back only if it cannot, with all wards.
pub fn exec(path: &Path, arguments: &[OsString], wards: Vec<Ward>, in_force: Option<&str>) -> (io::Error, Vec<Ward>) {
    let mut handed_on = Vec::new();
    for ward in wards {
        let (record, pipes) = ward.hand_on();
        let pipes = pipes.map(|pipe| {
            pipe.map(|pipe| {
                let _ = fcntl_setfd(pipe.as_fd(), FdFlags::empty());
                pipe.into_raw_fd()
            })
        });
        handed_on.push((record, pipes));
    }
    let in_force = in_force.map(str::to_owned);
    let inheritance = Inheritance { protocol: PROTOCOL, wards: handed_on, in_force };
    let error = match replace(path, arguments, &inheritance) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    let back =
        |(record, pipes): (Record, [Option<RawFd>; 2])| Ward::inherited(record, pipes.map(|pipe| pipe.map(owned)));
    (error, inheritance.wards.into_iter().map(back).collect())
}

fn replace(path: &Path, arguments: &[OsString], inheritance: &Inheritance) -> io::Result<std::convert::Infallible> {
    let mut file = File::from(memfd_create("inheritance", MemfdFlags::empty())?);
    file.write_all(&serde_json::to_vec(inheritance)?)?;
    file.rewind()?;
    let own = (OsString::from(INHERITANCE), OsString::from(file.as_raw_fd().to_string()));
    let others = std::env::vars_os().filter(|(name, _)| name != OsStr::new(INHERITANCE));
    let variable = |(name, value): (OsString, OsString)| {
        let mut text = name;
        text.push("=");
        text.push(value);
        c_text(&text)
    };
    let environment = others.chain([own]).map(variable).collect::<io::Result<Vec<_>>>()?;
    let arguments = arguments.iter().map(|argument| c_text(argument)).collect::<io::Result<Vec<_>>>()?;
    nix::unistd::execve(&c_text(path.as_os_str())?, &arguments, &environment).map_err(io::Error::from)
}

fn c_text(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(io::Error::other)
}

/// The variables that the scheduler does not get.
pub const OWN_VARIABLES: [&str; 2] = [INHERITANCE, "WATCHDOG_PID"];
