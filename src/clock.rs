//! What time is it, and how do we wait for a time?
//!
//! Every reading of a clock is in this file. The system's clock is waited for with a timer of the realtime clock, which
//! goes on during suspend and says when the clock is set; tests have a clock that they move by hand.

#![expect(clippy::disallowed_methods, reason = "this is where clocks are read")]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::readiness::Readiness;

/// Why a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The clock shows the time that was waited for, or a later one.
    Due,
    /// The clock was set, or the machine was suspended.
    ClockSet,
}

/// A clock: the machine's, or one that is moved by hand.
#[derive(Debug, Clone)]
pub enum Clock {
    System,
    Manual(Arc<ManualClock>),
}

impl Clock {
    /// The time of day, in whole microseconds.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => whole_microseconds(Timestamp::now()),
            Self::Manual(clock) => clock.hands.borrow().now,
        }
    }

    /// Time that passed since some fixed point, suspend included; nobody can set it.
    pub fn elapsed(&self) -> Duration {
        match self {
            Self::System => {
                let time = clock_gettime(ClockId::Boottime);
                let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
                Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
            }
            Self::Manual(clock) => clock.hands.borrow().elapsed,
        }
    }

    /// An alarm on this clock. Must be called within a runtime.
    pub fn alarm(&self) -> io::Result<Alarm> {
        match self {
            Self::System => {
                let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
                Ok(Alarm::System(Readiness::new(timerfd_create(TimerfdClockId::Realtime, flags)?)?))
            }
            Self::Manual(clock) => Ok(Alarm::Manual(clock.hands.subscribe())),
        }
    }
}

/// A point on the clock with which the runtime's timers measure how long something takes, suspend not included.
pub fn instant() -> Instant {
    Instant::now()
}

/// Time since the machine booted, suspend not included: what is measured from one program to the one that takes its place.
pub fn uptime() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn whole_microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// What waits for a time on a clock.
#[derive(Debug)]
pub enum Alarm {
    System(Readiness),
    Manual(watch::Receiver<Hands>),
}

impl Alarm {
    /// Waits until the clock shows `at`, or is set. Dropping the future loses nothing.
    pub async fn wait_until(&mut self, at: Option<Timestamp>) -> io::Result<Woken> {
        match self {
            Self::System(timer) => wait_on_timer(timer, at).await,
            Self::Manual(hands) => Ok(wait_on_hands(hands, at).await),
        }
    }
}

/// How far ahead a timer is set where nothing is due; it still says when the clock is set.
const FAR: SignedDuration = SignedDuration::from_hours(24 * 365);

async fn wait_on_timer(timer: &Readiness, at: Option<Timestamp>) -> io::Result<Woken> {
    let at = at.unwrap_or_else(|| Timestamp::now().saturating_add(FAR).unwrap_or(Timestamp::MAX));
    // An absolute timer in the past fires at once, so nothing is lost between looking and listening. A zero would
    // disarm it instead.
    let spec = Timespec { tv_sec: at.as_second().max(0), tv_nsec: i64::from(at.subsec_nanosecond().max(1)) };
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    match timerfd_settime(timer, flags, &Itimerspec { it_interval: never, it_value: spec }) {
        Ok(_) => {}
        // The clock was set since the last read; the timer is set all the same.
        Err(rustix::io::Errno::CANCELED) => return Ok(Woken::ClockSet),
        Err(error) => return Err(error.into()),
    }
    let mut expirations = [0u8; 8];
    let read = timer.read(|timer| Ok(rustix::io::read(timer, &mut expirations)?)).await;
    match read {
        Ok(_) => Ok(Woken::Due),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::CANCELED.raw_os_error()) => Ok(Woken::ClockSet),
        Err(error) => Err(error),
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    hands: watch::Sender<Hands>,
}

/// What a manual clock shows.
#[derive(Debug, Clone, Copy)]
pub struct Hands {
    now: Timestamp,
    elapsed: Duration,
    /// How often it was set.
    sets: u64,
}

impl ManualClock {
    pub fn at(now: Timestamp) -> Arc<Self> {
        let (hands, _) = watch::channel(Hands { now, elapsed: Duration::from_secs(1000), sets: 0 });
        Arc::new(Self { hands })
    }

    /// Time passes.
    pub fn advance(&self, by: Duration) {
        self.hands.send_modify(|hands| {
            hands.now += by;
            hands.elapsed += by;
        });
    }

    /// Somebody sets the clock; no time passes.
    pub fn set(&self, now: Timestamp) {
        self.hands.send_modify(|hands| {
            hands.now = now;
            hands.sets += 1;
        });
    }
}

async fn wait_on_hands(hands: &mut watch::Receiver<Hands>, at: Option<Timestamp>) -> Woken {
    let sets = hands.borrow().sets;
    loop {
        let Hands { now, sets: since, .. } = *hands.borrow_and_update();
        if since != sets {
            return Woken::ClockSet;
        }
        if at.is_some_and(|at| at <= now) {
            return Woken::Due;
        }
        if hands.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_systems_timer_fires_at_its_time_and_not_before() {
        let mut alarm = Clock::System.alarm().unwrap();
        let at = Clock::System.now() + Duration::from_millis(30);
        assert_eq!(alarm.wait_until(Some(at)).await.unwrap(), Woken::Due);
        assert!(Clock::System.now() >= at);
        // What is past is due at once.
        assert_eq!(alarm.wait_until(Some(Timestamp::UNIX_EPOCH)).await.unwrap(), Woken::Due);
    }

    #[tokio::test]
    async fn a_manual_clock_moves_by_hand() {
        let begin = Timestamp::from_second(1_000_000).unwrap();
        let manual = ManualClock::at(begin);
        let clock = Clock::Manual(manual.clone());
        let mut alarm = clock.alarm().unwrap();
        let at = begin + Duration::from_secs(60);
        let wait = tokio::spawn(async move { (alarm.wait_until(Some(at)).await.unwrap(), alarm) });
        manual.advance(Duration::from_secs(59));
        manual.advance(Duration::from_secs(1));
        let (woken, mut alarm) = wait.await.unwrap();
        assert_eq!((woken, clock.now()), (Woken::Due, at));
        let set = tokio::spawn(async move { alarm.wait_until(None).await.unwrap() });
        tokio::task::yield_now().await;
        manual.set(begin);
        assert_eq!(set.await.unwrap(), Woken::ClockSet);
    }
}
