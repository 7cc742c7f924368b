//! How does a descriptor outlive an exec? By its number, which is what is written down of it.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Lets it through the next exec.
pub fn leave_open(descriptor: &OwnedFd) {
    let _ = fcntl_setfd(descriptor, FdFlags::empty());
}

/// A descriptor that this program was left by the one before it.
pub fn inherited(number: RawFd) -> OwnedFd {
    // SAFETY: the program before has left it open for this one to own, and each number is taken once, at the very start.
    #[expect(unsafe_code, reason = "a number is all that outlives an exec")]
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    // It was let through this one exec, and no other.
    let _ = fcntl_setfd(&descriptor, FdFlags::CLOEXEC);
    descriptor
}

pub fn serialize<S: Serializer>(all: &[Option<OwnedFd>; 3], serializer: S) -> Result<S::Ok, S::Error> {
    all.each_ref().map(|one| one.as_ref().map(AsRawFd::as_raw_fd)).serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[Option<OwnedFd>; 3], D::Error> {
    Ok(<[Option<RawFd>; 3]>::deserialize(deserializer)?.map(|one| one.map(inherited)))
}
