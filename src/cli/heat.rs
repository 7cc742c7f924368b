//! How busy is each hour? Runs per hour, as a map of shades with a line for each day.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use owo_colors::Style;

use super::screen::Screen;

/// More days than this become one week, with what its days have on average.
const MOST_LINES: usize = 35;
const SHADES: [&str; 5] = ["··", "░░", "▒▒", "▓▓", "██"];

/// Runs by day and hour of the clocks of a zone.
pub struct Heat {
    lines: Vec<Line>,
    is_average: bool,
}

struct Line {
    label: String,
    hours: [f64; 24],
}

impl Heat {
    /// `minutes` are runs per minute from the minute of `from` on.
    pub fn of(minutes: &[u32], from: Timestamp, until: Timestamp, zone: &TimeZone) -> Self {
        let mut days: Vec<(Date, [u64; 24])> = Vec::new();
        let (mut date, last) = (zone.to_datetime(from).date(), zone.to_datetime(until).date());
        while date <= last {
            days.push((date, [0; 24]));
            match date.tomorrow() {
                Ok(next) => date = next,
                Err(_) => break,
            }
        }
        let begin = from.as_second().div_euclid(60) * 60;
        for (minute, runs) in (0..).zip(minutes).filter(|(_, runs)| **runs > 0) {
            let civil = Timestamp::from_second(begin + minute * 60).map(|at| zone.to_datetime(at)).unwrap_or_default();
            if let Ok(at) = days.binary_search_by_key(&civil.date(), |(date, _)| *date) {
                days[at].1[usize::from(civil.hour().unsigned_abs())] += u64::from(*runs);
            }
        }
        if days.len() <= MOST_LINES { Self::by_day(&days) } else { Self::by_weekday(&days) }
    }

    fn by_day(days: &[(Date, [u64; 24])]) -> Self {
        let line = |(date, hours): &(Date, [u64; 24])| Line {
            label: date.strftime("%a %d %b").to_string(),
            hours: hours.map(to_float),
        };
        Self { lines: days.iter().map(line).collect(), is_average: false }
    }

    fn by_weekday(days: &[(Date, [u64; 24])]) -> Self {
        let line = |weekday: Weekday| {
            let same: Vec<_> = days.iter().filter(|(date, _)| date.weekday() == weekday).collect();
            let mut hours = [0.0; 24];
            for (_, of_day) in &same {
                for (sum, runs) in hours.iter_mut().zip(of_day) {
                    *sum += to_float(*runs);
                }
            }
            let days = to_float(same.len() as u64).max(1.0);
            Line { label: format!("{weekday:?}"), hours: hours.map(|sum| sum / days) }
        };
        let week = Weekday::Monday.cycle_forward().take(7);
        Self { lines: week.map(line).collect(), is_average: true }
    }

    /// All that is not nothing, the smallest first.
    fn sorted(&self) -> Vec<f64> {
        let mut busy: Vec<f64> = self.lines.iter().flat_map(|line| line.hours).filter(|runs| *runs > 0.0).collect();
        busy.sort_by(f64::total_cmp);
        busy
    }
}

/// A count of runs is far below where a float loses anything that a shade shows.
#[allow(clippy::cast_precision_loss)]
fn to_float(count: u64) -> f64 {
    count as f64
}

/// The lowest number of runs of each shade: even steps of their logarithm, so that a nightly rush does not hide the rest
/// of the day. They begin with what a quiet hour has; the quietest tenth may be hours that are not seen whole.
fn thresholds(sorted: &[f64]) -> [f64; 5] {
    let most = sorted.last().copied().unwrap_or(1.0);
    let quiet = sorted.get(sorted.len() / 10).copied().unwrap_or(1.0);
    [0.0, 1.0, 2.0, 3.0, 4.0].map(|step: f64| quiet * (most / quiet).powf(step / 5.0))
}

pub fn show(heat: &Heat, screen: &mut Screen) {
    let thresholds = thresholds(&heat.sorted());
    let hours: Vec<String> = (0..24).step_by(3).map(|hour| format!("{hour:<6}")).collect();
    screen.line(screen.dim(&format!("{:12}{}  runs", "", hours.concat())));
    for line in &heat.lines {
        let cells: String = line.hours.iter().map(|runs| cell(*runs, &thresholds, screen)).collect();
        let total: f64 = line.hours.iter().sum();
        screen.line(format!("{:12}{cells}  {total:.0}", line.label));
    }
    let what = if heat.is_average { "runs per hour, on average" } else { "runs per hour" };
    let is_shown = |shade: usize| thresholds.get(shade + 1).is_none_or(|next| next.ceil() > thresholds[shade].ceil());
    let name = |shade: usize| match shade {
        0 => format!("{} 1+", paint(0, screen)),
        _ => format!("{} {:.0}+", paint(shade, screen), thresholds[shade].ceil()),
    };
    let legend: Vec<String> = (0..SHADES.len()).filter(|shade| is_shown(*shade)).map(name).collect();
    screen.line(format!("{:12}{}  {what}", "", legend.join("  ")));
}

fn cell(runs: f64, thresholds: &[f64; 5], screen: &Screen) -> String {
    if runs <= 0.0 {
        return "  ".to_owned();
    }
    let shade = thresholds.iter().rposition(|from| runs >= from.ceil()).unwrap_or(0);
    paint(shade, screen)
}

fn paint(shade: usize, screen: &Screen) -> String {
    let style = match shade {
        0 | 1 => Style::new().dimmed(),
        2 => Style::new(),
        3 => Style::new().yellow(),
        _ => Style::new().red(),
    };
    screen.paint(SHADES[shade], style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn hours_are_those_of_the_zone_and_long_plans_are_one_week() {
        let from: Timestamp = "2026-03-28T23:30:00Z".parse().unwrap();
        let day = SignedDuration::from_hours(24);
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        // One run a minute for three hours: from 00:30 to 01:59, and from 03:00 when the clocks have jumped.
        let heat = Heat::of(&[1; 180], from, from + day, &zone);
        assert_eq!(heat.lines.len(), 2);
        assert_eq!(heat.lines[0].label, "Sun 29 Mar");
        let busy: Vec<(usize, f64)> =
            (0..24).map(|hour| (hour, heat.lines[0].hours[hour])).filter(|(_, runs)| *runs > 0.0).collect();
        assert_eq!(busy, [(0, 30.0), (1, 60.0), (3, 60.0), (4, 30.0)]);
        let minutes = vec![1; 60 * 24 * 70];
        let heat = Heat::of(&minutes, from, from + day * 70, &zone);
        assert!(heat.is_average && heat.lines.len() == 7);
        assert!((heat.lines[2].hours[12] - 60.0).abs() < 1.0, "{}", heat.lines[2].hours[12]);
    }

    #[test]
    fn shades_rise_from_a_quiet_hour_to_the_busiest() {
        let mut hours = vec![20.0; 50];
        hours.extend([1.0, 2.0, 3_600.0]);
        hours.sort_by(f64::total_cmp);
        let thresholds = thresholds(&hours);
        assert!(thresholds.is_sorted() && (thresholds[0] - 20.0).abs() < 1e-9 && thresholds[4] < 3_600.0);
        assert!((super::thresholds(&[])[4] - 1.0).abs() < 1e-9);
    }
}
