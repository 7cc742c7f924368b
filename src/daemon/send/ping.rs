//! Who is told that a run begins and ends, in the manner of healthchecks.io? Quickly or not at all: it is no record, and delays
//! nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::configuration::Configuration;
use crate::job::{JobName, Target};
use crate::notify::{Means, Patience, PingMoment, Refusal, Rid, ping_within};

/// Pings that wait, and those under way at once: more are left out, and that is said.
const MOST_WAITING: usize = 256;
const MOST_AT_ONCE: usize = 32;
/// Three tries within a minute.
const PAUSES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(20)];
/// How often it is told that the daemon is alive.
const ALIVE_EVERY: Duration = Duration::from_secs(60);

/// For how long a ping of the last run may go on when the daemon stops.
const LAST_BREATH: Duration = Duration::from_secs(3);

/// What is to be told of a job.
#[derive(Debug, Clone)]
pub struct Pulse {
    /// None: of the daemon itself.
    pub job: Option<JobName>,
    pub target: Target,
    pub moment: PingMoment,
    /// What all pulses of one run have in common.
    pub rid: Option<Rid>,
}

/// Who is pinged of a run.
#[derive(Debug, Clone)]
pub struct Pinged {
    pub job: JobName,
    pub target: Target,
    /// What all that is said of the run has in common.
    pub rid: Rid,
}

/// Where pings are handed in.
#[derive(Debug, Clone)]
pub struct Pinger {
    pulses: mpsc::Sender<Pulse>,
}

/// What sends them; owned by whoever runs it.
pub struct PingerEnd {
    pulses: mpsc::Receiver<Pulse>,
    in_force: watch::Receiver<Arc<Configuration>>,
    environment: Arc<BTreeMap<String, String>>,
    folder: PathBuf,
    under_way: JoinSet<()>,
    /// How many pings of each job there were: one that is late has nothing to say after the next.
    newest: BTreeMap<Option<JobName>, Arc<AtomicU64>>,
    alive_every: Duration,
}

impl Pinger {
    pub fn new(
        in_force: watch::Receiver<Arc<Configuration>>,
        environment: Arc<BTreeMap<String, String>>,
        folder: PathBuf,
    ) -> (Self, PingerEnd) {
        let (pulses, pulses_out) = mpsc::channel(MOST_WAITING);
        let (under_way, newest) = (JoinSet::new(), BTreeMap::new());
        let alive_every = ALIVE_EVERY;
        let end = PingerEnd { pulses: pulses_out, in_force, environment, folder, under_way, newest, alive_every };
        (Self { pulses }, end)
    }

    /// Hands one in, and waits for nothing.
    pub fn tell(&self, pulse: Pulse) {
        if self.pulses.try_send(pulse).is_err() {
            tracing::warn!("a ping is left out: too many wait already");
        }
    }
}

impl PingerEnd {
    /// Sends until the loop is gone; what is under way then has a moment to arrive.
    pub async fn run(mut self) {
        let mut alive = interval(self.alive_every);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            while self.under_way.try_join_next().is_some() {}
            let has_room = self.under_way.len() < MOST_AT_ONCE;
            tokio::select! {
                pulse = self.pulses.recv(), if has_room => match pulse {
                    Some(pulse) => self.begin(pulse),
                    None => break,
                },
                Some(_) = self.under_way.join_next() => {}
                _ = alive.tick() => {
                    let target = self.in_force.borrow().settings.ping.clone();
                    if let Some(target) = target.filter(|_| has_room) {
                        self.begin(Pulse { job: None, target, moment: PingMoment::Alive, rid: None });
                    }
                }
            }
        }
        let all = async { while self.under_way.join_next().await.is_some() {} };
        if timeout(LAST_BREATH, all).await.is_err() {
            self.under_way.shutdown().await;
        }
    }

    fn begin(&mut self, pulse: Pulse) {
        let smtp = self.in_force.borrow().checked.smtp.clone();
        let means = Means { environment: self.environment.clone(), smtp, folder: self.folder.clone() };
        let newest = self.newest.entry(pulse.job.clone()).or_default().clone();
        let number = newest.fetch_add(1, Ordering::Relaxed) + 1;
        let is_newest = move || newest.load(Ordering::Relaxed) == number;
        self.under_way.spawn(async move { send(&pulse, &means, &PAUSES, is_newest).await });
    }
}

/// Until it is taken, or another one of the job has more to say.
async fn send(pulse: &Pulse, means: &Means, pauses: &[Duration], is_newest: impl Fn() -> bool) {
    let mut pauses = pauses.iter();
    loop {
        let came = ping_within(Patience::USUAL, &pulse.target, pulse.moment, pulse.rid.clone(), means).await;
        let Err(refusal) = came else {
            return;
        };
        match (&refusal, pauses.next()) {
            (Refusal::Later { .. }, Some(pause)) => {
                sleep(*pause).await;
                if !is_newest() {
                    return;
                }
            }
            (Refusal::Later { why, .. } | Refusal::Never { why }, _) => {
                let whose = pulse.job.as_ref().map_or("the daemon", JobName::as_str);
                return tracing::warn!("a ping of {whose} was not taken: {why}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use jiff::Timestamp;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::settings::Flags;

    #[tokio::test]
    async fn a_ping_that_was_not_taken_is_silent_after_the_next_one() {
        let means = Means { environment: Arc::default(), smtp: None, folder: PathBuf::from("/") };
        // Nobody listens there.
        let target = Target::Open("http://127.0.0.1:1/".parse().unwrap());
        let pulse = Pulse { job: None, target, moment: PingMoment::Start, rid: None };
        for (is_newest, asked) in [(true, 2), (false, 1)] {
            let times = Cell::new(0);
            let newest = || {
                times.set(times.get() + 1);
                is_newest
            };
            send(&pulse, &means, &[Duration::from_millis(1); 2], newest).await;
            assert_eq!(times.get(), asked, "{is_newest}");
        }
    }

    #[tokio::test]
    async fn the_daemon_says_again_and_again_that_it_lives() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.toml");
        let file = format!("[daemon]\nping = 'http://{}/alive'\n", listener.local_addr().unwrap());
        std::fs::write(&path, file).unwrap();
        let read = Configuration::read(&path, &BTreeMap::new(), &Flags::default(), Timestamp::UNIX_EPOCH);
        let (_in_force, in_force) = watch::channel(Arc::new(read.unwrap()));
        let (pinger, mut end) = Pinger::new(in_force, Arc::default(), PathBuf::from("/"));
        assert_eq!(std::mem::replace(&mut end.alive_every, Duration::from_millis(20)), Duration::from_secs(60));
        let mut tasks = JoinSet::new();
        tasks.spawn(end.run());
        for count in 0..3 {
            let asked = timeout(Duration::from_secs(20), listener.accept()).await;
            let (mut stream, _) = asked.unwrap_or_else(|_| panic!("only {count} times")).unwrap();
            let mut head = [0; 16];
            stream.read_exact(&mut head).await.unwrap();
            assert_eq!(head, *b"GET /alive HTTP/");
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        }
        drop(pinger);
        // One that is under way hears no answer, and keeps it for a moment only.
        tasks.join_next().await.unwrap().unwrap();
    }
}
