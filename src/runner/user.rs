//! Who is that user, and how does a process become one that cannot go back?

use std::ffi::CString;
use std::io;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, getgrouplist, getgroups, getresgid, getresuid, seteuid, setgroups, setresgid, setresuid,
};

use super::trouble::Trouble;
use crate::run::Reason;

/// A user of this machine, with all groups that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: Uid,
    pub gid: Gid,
    pub groups: Vec<Gid>,
    pub home: PathBuf,
    pub shell: PathBuf,
}

impl Account {
    /// Looks up the user, or the daemon's own where none is named; `group` takes the place of the user's first one.
    pub fn find(user: Option<&str>, group: Option<&str>) -> Result<Self, Trouble> {
        let found = match user {
            Some(name) => User::from_name(name).map_err(|error| unknown("user", name, Some(error)))?,
            None => User::from_uid(Uid::effective()).ok().flatten(),
        };
        let own = || format!("number {}", Uid::effective());
        let found = found.ok_or_else(|| unknown("user", &user.map_or_else(own, str::to_owned), None))?;
        let gid = group.map(group_number).transpose()?.unwrap_or(found.gid);
        let c_name = CString::new(found.name.as_str()).map_err(|_| unknown("user", &found.name, None))?;
        let groups = getgrouplist(&c_name, gid).map_err(|error| unknown("user", &found.name, Some(error)))?;
        Ok(Self { name: found.name, uid: found.uid, gid, groups, home: found.dir, shell: found.shell })
    }

    /// The variables by which programs know whose they are.
    pub fn variables(&self) -> [(String, String); 4] {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        [
            ("HOME", path(&self.home)),
            ("USER", self.name.clone()),
            ("LOGNAME", self.name.clone()),
            ("SHELL", path(&self.shell)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// Whether this process is that user already, and has no power to be another.
    pub fn is_this_process(&self) -> bool {
        !Uid::effective().is_root() && Uid::effective() == self.uid && Gid::effective() == self.gid
    }

    /// Makes this process that user's for good; whatever is not as it should be afterwards is an error.
    pub fn become_it(&self) -> Result<(), Trouble> {
        if self.is_this_process() {
            return Ok(());
        }
        let refused = |what: &'static str| {
            move |error: Errno| {
                let hint = if Uid::effective().is_root() { "" } else { "; only root can start what runs as others" };
                let error = io::Error::from(error);
                let mut trouble = Trouble::refused(&format!("{what} of `{}` cannot be taken", self.name), error);
                trouble.detail.push_str(hint);
                trouble
            }
        };
        setgroups(&self.groups).map_err(refused("the groups"))?;
        setresgid(self.gid, self.gid, self.gid).map_err(refused("the group"))?;
        setresuid(self.uid, self.uid, self.uid).map_err(refused("the user"))?;
        self.verify()
    }

    fn verify(&self) -> Result<(), Trouble> {
        let users = getresuid().is_ok_and(|is| [is.real, is.effective, is.saved] == [self.uid; 3]);
        let groups = getresgid().is_ok_and(|is| [is.real, is.effective, is.saved] == [self.gid; 3]);
        let others = getgroups().is_ok_and(|is| sorted(&is) == sorted(&self.groups));
        let goes_back = !self.uid.is_root() && seteuid(Uid::from_raw(0)).is_ok();
        if users && groups && others && !goes_back {
            return Ok(());
        }
        Err(Trouble::new(Reason::NoPermission, format!("the switch to the user `{}` did not take hold", self.name)))
    }
}

fn group_number(name: &str) -> Result<Gid, Trouble> {
    let found = Group::from_name(name).map_err(|error| unknown("group", name, Some(error)).about("group"))?;
    Ok(found.ok_or_else(|| unknown("group", name, None).about("group"))?.gid)
}

fn unknown(what: &str, name: &str, error: Option<Errno>) -> Trouble {
    let why = error.map_or_else(String::new, |error| format!(": {}", error.desc()));
    Trouble::new(Reason::NoUser, format!("there is no {what} `{name}`{why}")).about("user")
}

fn sorted(groups: &[Gid]) -> Vec<u32> {
    let mut numbers: Vec<u32> = groups.iter().map(|gid| gid.as_raw()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_and_nonsense_is_not() {
        let root = Account::find(Some("root"), None).unwrap();
        assert!(root.uid.is_root() && root.groups.contains(&root.gid));
        assert!(root.variables().contains(&("USER".to_owned(), "root".to_owned())));
        for (user, group, key) in [("no-such-user", None, "user"), ("root", Some("no-such-group"), "group")] {
            let trouble = Account::find(Some(user), group).unwrap_err();
            assert_eq!((trouble.reason, trouble.key), (Reason::NoUser, key), "{trouble:?}");
        }
    }
}
