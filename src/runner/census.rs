//! Who is there? One walk over `/proc` answers all who ask at the time, on a thread of its own: a walk reads files of every
//! process of the machine, and many runs may be ended at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::{mpsc, oneshot};

use super::tree::{Stat, Tree, processes, stat};

/// Questions that wait for a walk.
const QUESTIONS: usize = 1024;

/// A process as it was found: its number alone may be another's by the time somebody looks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    pub pid: i32,
    pub start_ticks: u64,
    /// Whether it is in the group that the tree's process leads.
    pub in_group: bool,
}

impl Member {
    /// A descriptor that becomes readable when this very process ends; `None` if it has.
    pub fn watch(&self) -> Option<OwnedFd> {
        let process = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::NONBLOCK).ok()?;
        // Looked at again behind the descriptor, which cannot change hands.
        stat(self.pid).filter(|stat| stat.start_ticks == self.start_ticks).map(|_| process)
    }

    pub fn signal(&self, signal: Signal) {
        if let Some(process) = self.watch() {
            // The one error that can come is that it has ended.
            let _ = pidfd_send_signal(process, signal);
        }
    }
}

/// What is asked: who of this tree lives, those known before and their descendants included.
struct Question {
    tree: Arc<Tree>,
    known: BTreeSet<Member>,
    answer: oneshot::Sender<Vec<Member>>,
}

#[derive(Debug)]
pub struct Census {
    questions: Option<mpsc::Sender<Question>>,
    thread: Option<JoinHandle<()>>,
}

impl Census {
    pub fn new() -> io::Result<Self> {
        let (questions, questions_out) = mpsc::channel(QUESTIONS);
        let thread = std::thread::Builder::new().name("census".to_owned()).spawn(move || serve(questions_out))?;
        Ok(Self { questions: Some(questions), thread: Some(thread) })
    }

    /// The live ones of a tree, without zombies.
    pub async fn members(&self, tree: Arc<Tree>, known: BTreeSet<Member>) -> Vec<Member> {
        let (answer, answer_out) = oneshot::channel();
        if let Some(questions) = &self.questions {
            let _ = questions.send(Question { tree, known, answer }).await;
        }
        answer_out.await.unwrap_or_default()
    }
}

impl Drop for Census {
    fn drop(&mut self) {
        drop(self.questions.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut questions: mpsc::Receiver<Question>) {
    while let Some(first) = questions.blocking_recv() {
        let mut asked = vec![first];
        while let Ok(question) = questions.try_recv() {
            asked.push(question);
        }
        let walk = Walk::new();
        for Question { tree, known, answer } in asked {
            let _ = answer.send(walk.members(&tree, &known));
        }
    }
}

/// What a walk has found.
struct Walk {
    people: BTreeMap<i32, Person>,
    children: BTreeMap<i32, Vec<i32>>,
}

struct Person {
    stat: Stat,
    environment: Vec<u8>,
}

impl Walk {
    fn new() -> Self {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let mut people = BTreeMap::new();
        let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for pid in processes().filter(|pid| *pid != own) {
            let Some(stat) = stat(pid) else {
                continue;
            };
            children.entry(stat.parent).or_default().push(pid);
            // Of others' processes it cannot be read, unless by root.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            people.insert(pid, Person { stat, environment });
        }
        Self { people, children }
    }

    /// The live ones among those known, in the tree's group or with its marks, and all that descend from any of them.
    fn members(&self, tree: &Tree, known: &BTreeSet<Member>) -> Vec<Member> {
        let is_known = |pid: i32, ticks: u64| known.iter().any(|one| (one.pid, one.start_ticks) == (pid, ticks));
        let belongs = |(pid, person): &(&i32, &Person)| {
            let Stat { group, start_ticks, .. } = person.stat;
            group == tree.group() || is_known(**pid, start_ticks) || tree.marks().are_in(&person.environment)
        };
        let mut found: BTreeSet<i32> = self.people.iter().filter(belongs).map(|(pid, _)| *pid).collect();
        let mut next: Vec<i32> = found.iter().copied().collect();
        while let Some(parent) = next.pop() {
            let children = self.children.get(&parent).into_iter().flatten();
            next.extend(children.copied().filter(|child| found.insert(*child)));
        }
        let member = |pid: &i32| {
            let stat = self.people.get(pid)?.stat;
            let is_alive = !matches!(stat.state, 'Z' | 'X');
            let in_group = stat.group == tree.group();
            is_alive.then_some(Member { pid: *pid, start_ticks: stat.start_ticks, in_group })
        };
        found.iter().filter_map(member).collect()
    }
}
