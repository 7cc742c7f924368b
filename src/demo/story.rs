//! What happened in an attempt? How long it took, how it ended and what it used, by the habits of its job.

use std::time::Duration;

use super::chance::{Chance, Dice};
use super::scene::{Scene, Trouble};
use super::voice::{Said, speak};
use crate::run::{Exit, Reason, Status};

/// An attempt as it went.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub lasts: Duration,
    pub exit: Exit,
    pub cpu: Option<Duration>,
    pub max_rss: Option<u64>,
    pub said: Vec<Said>,
}

/// How the attempts of a job, or of its step, usually go.
struct Habit {
    job: &'static str,
    step: &'static str,
    milliseconds: u64,
    /// Give or take.
    percent: u64,
    /// Of the time that it takes, in percent.
    cpu: u64,
    mebibytes: u64,
}

const fn habit(
    job: &'static str,
    step: &'static str,
    milliseconds: u64,
    percent: u64,
    cpu: u64,
    mebibytes: u64,
) -> Habit {
    Habit { job, step, milliseconds, percent, cpu, mebibytes }
}

const HABITS: [Habit; 18] = [
    habit("backup", "", 251_000, 10, 62, 96),
    habit("verify-backup", "", 74_000, 8, 80, 210),
    habit("certificates", "", 2_100, 30, 20, 24),
    habit("report", "", 6_500, 15, 71, 130),
    habit("health", "", 90, 60, 18, 9),
    habit("mirror", "", 9_300, 50, 12, 17),
    habit("etl", "extract", 41_000, 15, 35, 64),
    habit("etl", "transform", 62_000, 15, 95, 380),
    habit("etl", "load", 38_000, 20, 22, 70),
    habit("etl", "cleanup", 400, 40, 40, 6),
    habit("import", "", 172_000, 45, 48, 88),
    habit("invoices", "", 18_500, 20, 33, 55),
    habit("thumbnails", "", 118_000, 30, 97, 310),
    habit("compact", "", 143_000, 20, 70, 20),
    habit("sensors", "", 310, 25, 9, 7),
    habit("licence-check", "", 900, 20, 15, 12),
    habit("warm-cache", "", 22_000, 15, 40, 48),
    habit("tidy", "", 1_700, 50, 30, 8),
];

/// Of jobs that have none of their own: those that are made by the thousand.
const UNKNOWN: Habit = habit("", "", 2_400, 80, 25, 14);

/// Tells how an attempt went: always the same for the same seed and scene.
pub fn tell(chance: Chance, scene: Scene, is_silent: bool) -> Attempt {
    let mut dice = chance.dice(scene.job, scene.step, scene.number, scene.attempt);
    let habit = HABITS.iter().find(|habit| (habit.job, habit.step) == (scene.job, scene.step)).unwrap_or(&UNKNOWN);
    let trouble = trouble(scene, &mut dice);
    let usual = match (scene.job, trouble) {
        (_, Trouble::Slow(times)) => habit.milliseconds * times,
        // There are more orders from day to day.
        ("report", _) => habit.milliseconds * (1000 + 4 * scene.passed) / 1000,
        _ => habit.milliseconds,
    };
    let mut lasts = Duration::from_micros(dice.about(usual * 1000, habit.percent));
    let mut exit = Exit::Code(0);
    match trouble {
        Trouble::None | Trouble::Slow(_) => {}
        Trouble::Code(code) => {
            exit = Exit::Code(code);
            lasts = lasts * 2 / 3;
        }
        Trouble::Signal(signal) => exit = Exit::Signal { signal, core_dumped: signal == SEGV },
        Trouble::Hangs => lasts = scene.timeout.unwrap_or(lasts),
        Trouble::NoProgram => {
            let detail = "there is no program `flexlm-seats` in its PATH".to_owned();
            exit = Exit::NotStarted { reason: Reason::NoProgram, detail };
            lasts = Duration::ZERO;
        }
        Trouble::StoppedByHand => {
            exit = Exit::Stopped { reason: Reason::ByHand, status: Status::Signal(TERM) };
            lasts *= 3;
        }
    }
    if let Some(after) = scene.timeout.filter(|after| lasts >= *after) {
        exit = Exit::TimedOut { after, status: Status::Signal(TERM) };
        lasts = after + Duration::from_micros(dice.between(900, 9_000));
    }
    let is_silent = is_silent || trouble == Trouble::NoProgram;
    Attempt {
        cpu: (!lasts.is_zero()).then(|| lasts * u32::try_from(dice.about(habit.cpu, 10)).unwrap_or(0) / 100),
        max_rss: (!lasts.is_zero()).then(|| dice.about(habit.mebibytes << 20, 5)),
        said: if is_silent { Vec::new() } else { speak(scene, trouble, &mut dice) },
        lasts,
        exit,
    }
}

const SEGV: i32 = 11;
const TERM: i32 = 15;
const KILL: i32 = 9;

/// Some of it is bound to happen within a week, so that each question has an answer; the rest is chance.
fn trouble(scene: Scene, dice: &mut Dice) -> Trouble {
    let Scene { job, step, number, attempt, .. } = scene;
    let when = |happens: bool, trouble: Trouble| if happens { trouble } else { Trouble::None };
    match (job, step) {
        ("backup", _) => when(number % 5 == 3, Trouble::Code(1)),
        ("health", _) if attempt > 1 => when(dice.happens(350), Trouble::Code(22)),
        ("health", _) => when(dice.happens(4), Trouble::Code(22)),
        ("mirror", _) => when(dice.happens(330), Trouble::Code(30)),
        ("etl", "transform") if number % 7 == 6 => Trouble::Code(3),
        ("etl", "transform") => when(number % 4 == 2 && attempt == 1, Trouble::Code(3)),
        ("import", _) if number == 70 || dice.happens(4) => Trouble::Hangs,
        ("import", _) => when(number % 60 == 31 || dice.happens(12), Trouble::Slow(8)),
        ("thumbnails", _) => when(number % 150 == 40, Trouble::Signal(KILL)),
        ("compact", _) => when(number == 37, Trouble::StoppedByHand),
        ("sensors", _) => when(number % 700 == 300, Trouble::Signal(SEGV)),
        ("licence-check", _) => when(number == 2 || number == 3, Trouble::NoProgram),
        ("report", _) => when(dice.happens(12), Trouble::Code(2)),
        (job, _) if HABITS.iter().any(|habit| habit.job == job) => Trouble::None,
        _ if dice.happens(12) => Trouble::Code(1),
        _ => when(dice.happens(2), Trouble::Signal(KILL)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(job: &str, number: u64) -> Scene<'_> {
        Scene { job, step: "", number, attempt: 1, passed: 0, timeout: None }
    }

    #[test]
    fn what_is_bound_to_happen_happens() {
        let exit = |job: &str, number: u64| tell(Chance::new(1), scene(job, number), false).exit;
        assert_eq!((exit("backup", 2), exit("backup", 3)), (Exit::Code(0), Exit::Code(1)));
        assert!(matches!(exit("licence-check", 2), Exit::NotStarted { reason: Reason::NoProgram, .. }));
        assert!(matches!(exit("compact", 37), Exit::Stopped { reason: Reason::ByHand, .. }));
        let after = Duration::from_mins(35);
        let hangs = tell(Chance::new(1), Scene { timeout: Some(after), ..scene("import", 70) }, false);
        assert!(matches!(hangs.exit, Exit::TimedOut { .. }) && hangs.lasts > after);
    }

    #[test]
    fn the_report_takes_longer_from_day_to_day() {
        let sum = |passed: u64| -> Duration {
            (1..20).map(|number| tell(Chance::new(1), Scene { passed, ..scene("report", number) }, true).lasts).sum()
        };
        assert!(sum(900) > sum(0) * 3);
    }

    #[test]
    fn who_is_silent_says_nothing() {
        let told = tell(Chance::new(1), scene("backup", 1), true);
        assert!(told.said.is_empty());
        assert_eq!(format!("{told:?}"), format!("{:?}", tell(Chance::new(1), scene("backup", 1), true)));
    }
}
