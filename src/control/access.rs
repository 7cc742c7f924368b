//! Who may do what? Root, the daemon's own user and the operators may wish, readers may only read.

use std::ffi::CString;
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::settings::{Readers, Settings};

/// For how long the user database, which may be on another machine, is asked for a name and groups.
const LOOKUP_WITHIN: Duration = Duration::from_secs(3);

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    Nothing,
    Read,
    /// And read.
    Wish,
}

/// Who is at the other end of a connection, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub uid: u32,
    /// The group that its process had.
    pub gid: u32,
}

impl Peer {
    pub fn of(stream: &UnixStream) -> std::io::Result<Self> {
        let credentials = stream.peer_cred()?;
        Ok(Self { uid: credentials.uid(), gid: credentials.gid() })
    }
}

/// What the user database knows of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The number where there is no name.
    pub name: String,
    pub groups: Vec<u32>,
}

impl Person {
    /// Asks the user database, for a limited time; without an answer there is only what the kernel says.
    pub async fn look_up(peer: Peer) -> Self {
        let mut asking = JoinSet::new();
        asking.spawn_blocking(move || known(peer));
        match timeout(LOOKUP_WITHIN, asking.join_next()).await {
            Ok(Some(Ok(Some(person)))) => person,
            _ => Self { name: peer.uid.to_string(), groups: vec![peer.gid] },
        }
    }
}

fn known(peer: Peer) -> Option<Person> {
    let user = User::from_uid(Uid::from_raw(peer.uid)).ok()??;
    let name = CString::new(user.name.as_str()).ok()?;
    let mut groups: Vec<u32> = getgrouplist(&name, user.gid).ok()?.into_iter().map(Gid::as_raw).collect();
    groups.push(peer.gid);
    Some(Person { name: user.name, groups })
}

/// Who has which right, by the numbers of users and groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    own: u32,
    operators: Vec<u32>,
    readers: Vec<u32>,
    everybody_reads: bool,
}

impl Access {
    /// Looks up the groups that the settings name; the words are of those that there are not.
    pub fn of(settings: &Settings) -> (Self, Vec<String>) {
        let mut unknown = Vec::new();
        let mut numbers = |key: &str, names: &[String]| -> Vec<u32> {
            let number = |name: &String| {
                let found = group_number(name);
                if found.is_none() {
                    unknown.push(format!("{key}: there is no group `{name}` on this machine"));
                }
                found
            };
            names.iter().filter_map(number).collect()
        };
        let operators = numbers("operators", &settings.operators);
        let (readers, everybody_reads) = match &settings.readers {
            Readers::Everybody => (Vec::new(), true),
            Readers::Groups(names) => (numbers("readers", names), false),
        };
        (Self { own: rustix::process::geteuid().as_raw(), operators, readers, everybody_reads }, unknown)
    }

    /// Whether it takes no look at the groups: root and the daemon's own user.
    pub fn is_owner(&self, peer: Peer) -> bool {
        peer.uid == 0 || peer.uid == self.own
    }

    pub fn right_of(&self, peer: Peer, groups: &[u32]) -> Right {
        let is_one_of = |wanted: &[u32]| groups.iter().any(|group| wanted.contains(group));
        if self.is_owner(peer) || is_one_of(&self.operators) {
            Right::Wish
        } else if self.everybody_reads || is_one_of(&self.readers) {
            Right::Read
        } else {
            Right::Nothing
        }
    }

    /// The group that the socket is to be of, and whether others have to be able to open it as well.
    pub fn doors(&self) -> (Option<u32>, bool) {
        let mut groups: Vec<u32> = self.operators.iter().chain(&self.readers).copied().collect();
        groups.dedup();
        (groups.first().copied(), self.everybody_reads || groups.len() > 1)
    }
}

/// The number of a group that is named, or given by its number.
pub fn group_number(name: &str) -> Option<u32> {
    match Group::from_name(name) {
        Ok(Some(group)) => Some(group.gid.as_raw()),
        Ok(None) | Err(_) => name.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_wish_and_readers_read() {
        let access = Access { own: 7, operators: vec![10, 11], readers: vec![20], everybody_reads: false };
        for (uid, groups, expect) in [
            (0, &[][..], Right::Wish),
            (7, &[], Right::Wish),
            (8, &[8, 11], Right::Wish),
            (8, &[20, 10], Right::Wish),
            (8, &[20], Right::Read),
            (8, &[8], Right::Nothing),
            (10, &[7, 0], Right::Nothing),
        ] {
            assert_eq!(access.right_of(Peer { uid, gid: 0 }, groups), expect, "{uid} {groups:?}");
        }
        let open = Access { everybody_reads: true, ..access };
        assert_eq!(open.right_of(Peer { uid: 8, gid: 0 }, &[]), Right::Read);
        assert_eq!(open.right_of(Peer { uid: 8, gid: 0 }, &[10]), Right::Wish);
    }

    #[test]
    fn the_socket_is_opened_no_wider_than_it_must_be() {
        let none = Access { own: 7, operators: vec![], readers: vec![], everybody_reads: false };
        assert_eq!(none.doors(), (None, false));
        assert_eq!(Access { operators: vec![10], ..none.clone() }.doors(), (Some(10), false));
        assert_eq!(Access { operators: vec![10], readers: vec![10], ..none.clone() }.doors(), (Some(10), false));
        assert_eq!(Access { readers: vec![20], ..none.clone() }.doors(), (Some(20), false));
        assert_eq!(Access { operators: vec![10], readers: vec![20], ..none.clone() }.doors(), (Some(10), true));
        assert_eq!(Access { operators: vec![10], everybody_reads: true, ..none }.doors(), (Some(10), true));
    }

    #[tokio::test]
    async fn the_user_database_knows_names_and_groups() {
        let root = Person::look_up(Peer { uid: 0, gid: 12345 }).await;
        assert_eq!(root.name, "root");
        assert!(root.groups.contains(&0) && root.groups.contains(&12345), "{root:?}");
        let nobody_knows = Peer { uid: 3_999_999_999, gid: 5 };
        let expect = Person { name: "3999999999".to_owned(), groups: vec![5] };
        assert_eq!(Person::look_up(nobody_knows).await, expect);
        assert_eq!(
            (group_number("root"), group_number("no-such-group"), group_number("4711")),
            (Some(0), None, Some(4711))
        );
    }
}
