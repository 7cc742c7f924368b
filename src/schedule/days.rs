//! How does one say on which days a pattern matches?
//!
//! Three fields go into it, because each of the day fields is said differently beside the other, and with months.

use std::collections::BTreeSet;

use super::values::{joined, numbered, spans_of, values};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Sunday is last, so that the weekend stays together.
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const WEEKS: [&str; 6] = ["first", "second", "third", "fourth", "fifth", "last"];

/// Every month has the days up to this one.
const SAFE_DAY: u16 = 28;

/// A phrase about days, and whether it follows a time without a comma.
#[derive(Debug)]
pub struct Days {
    pub words: String,
    pub follows: bool,
}

impl Days {
    fn following(words: String) -> Self {
        Self { words, follows: true }
    }
}

/// A choice of months.
#[derive(Debug)]
pub struct Months(Vec<u16>);

impl Months {
    /// `None` if all months are meant.
    pub fn read(field: &str) -> Option<Self> {
        let months = values(field, 1, 12);
        (months.len() < MONTHS.len()).then_some(Self(months))
    }

    /// Behind what goes on during these months.
    pub fn within(&self) -> String {
        format!(" in {}", joined(&spans_of(&self.0, month_name), "and"))
    }

    /// Behind a day that each of them has: "the last day of January to March" would be a single one.
    fn each(&self) -> String {
        joined(&self.0.iter().copied().map(month_name).collect::<Vec<_>>(), "and")
    }

    /// Behind a phrase that has commas of its own.
    fn set_off(months: Option<&Self>) -> String {
        months.map_or(String::new(), |months| format!(",{}", months.within()))
    }
}

fn month_name(month: u16) -> String {
    MONTHS.get(usize::from(month).wrapping_sub(1)).map_or(String::new(), ToString::to_string)
}

/// What the two day fields say, with the months; `None` if every day is meant.
pub fn days_in_words(day: &str, weekday: &str, months: Option<&Months>) -> Option<Days> {
    let (both, weekday) = weekday.strip_prefix('+').map_or((false, weekday), |rest| (true, rest));
    let (dates, weekdays) = (Dates::read(day), Weekdays::read(weekday));
    // A field that is just `*` leaves the choice to the other one. One that is written otherwise and still has every
    // day settles the matter where either field may match.
    let either = day != "*" && weekday != "*" && !both;
    if either && (dates.is_all() || weekdays.is_all()) {
        return None;
    }
    let of_months = |free: &str| months.map_or(free.to_owned(), Months::each);
    match (dates.is_all(), weekdays.is_all()) {
        (true, true) => None,
        (true, false) => Some(weekdays.in_words(months)),
        (false, true) => Some(Days::following(format!("on {} of {}", dates.name(), of_months(dates.month())))),
        (false, false) if both => {
            let (dates, subject, month) = (dates.name(), dates.subject(), of_months("the month"));
            Some(Days::following(format!("on {dates} of {month} if {subject} is {}", weekdays.condition())))
        }
        (false, false) => {
            let (dates, weekdays, in_months) = (dates.name(), weekdays.name(), Months::set_off(months));
            Some(Days::following(format!("on {dates} of the month, and on {weekdays}{in_months}")))
        }
    }
}

/// What the field for the day of the month selects.
#[derive(Debug)]
struct Dates {
    days: Vec<u16>,
    /// Those with a `W`.
    near: Vec<u16>,
    last: Option<&'static str>,
}

impl Dates {
    fn read(field: &str) -> Self {
        let near: BTreeSet<u16> = field.split(',').filter_map(|item| item.strip_suffix('W')?.parse().ok()).collect();
        let has = |special: &str| field.split(',').any(|item| item == special);
        let last = match (has("LW"), has("L")) {
            (true, _) => Some("the last weekday (Monday to Friday)"),
            (false, true) => Some("the last day"),
            (false, false) => None,
        };
        Self { days: values(field, 1, 31), near: near.into_iter().collect(), last }
    }

    fn is_all(&self) -> bool {
        self.days.len() == 31
    }

    fn name(&self) -> String {
        let mut names = Vec::new();
        if !self.days.is_empty() {
            names.push(numbered("day", &self.days, 31));
        }
        if !self.near.is_empty() {
            let plural = if self.near.len() == 1 { "" } else { "s" };
            // At either end of a month the nearest weekday of all can be in the month beside it, and is not meant.
            let at_an_end = self.near.iter().any(|day| *day == 1 || *day >= SAFE_DAY);
            let which = if at_an_end { "Monday to Friday, in the same month" } else { "Monday to Friday" };
            names.push(format!("the weekday{plural} ({which}) nearest to {}", numbered("day", &self.near, 32)));
        }
        names.extend(self.last.map(str::to_owned));
        joined(&names, "and")
    }

    fn is_one(&self) -> bool {
        self.days.len() + self.near.len() + usize::from(self.last.is_some()) == 1
    }

    /// The months of a year without a choice of months; not every month has a day 31.
    fn month(&self) -> &'static str {
        let safe = self.days.iter().chain(&self.near).all(|day| *day <= SAFE_DAY);
        match (safe, self.is_one()) {
            (true, _) => "every month",
            (false, true) => "every month that has it",
            (false, false) => "the month",
        }
    }

    fn subject(&self) -> &'static str {
        if self.is_one() { "it" } else { "the day" }
    }
}

/// What the field for the day of the week selects; Monday is 1 and Sunday 7.
#[derive(Debug)]
struct Weekdays {
    weekly: Vec<u16>,
    /// Those with a `#`, each with the weeks of the month in which it is meant.
    monthly: Vec<(u16, BTreeSet<usize>)>,
}

impl Weekdays {
    fn read(field: &str) -> Self {
        let from_monday = |day: u16| if day == 0 { 7 } else { day };
        let weekly: BTreeSet<u16> = values(field, 0, 7).into_iter().map(from_monday).collect();
        let special = |item: &str| {
            let (day, week) = item.split_once('#')?;
            let week = if week == "L" { Some(WEEKS.len()) } else { week.parse().ok() };
            Some((from_monday(day.parse().ok()?), week?))
        };
        let specials: BTreeSet<(u16, usize)> = field.split(',').filter_map(special).collect();
        let weeks = |day: u16| specials.iter().filter(|(other, _)| *other == day).map(|(_, week)| *week).collect();
        // A weekday that is meant in every week is so also in the second.
        let monthly = (1..=7).filter(|day| !weekly.contains(day)).map(|day| (day, weeks(day)));
        Self {
            monthly: monthly.filter(|(_, weeks): &(u16, BTreeSet<usize>)| !weeks.is_empty()).collect(),
            weekly: weekly.into_iter().collect(),
        }
    }

    fn is_all(&self) -> bool {
        self.weekly.len() == 7
    }

    /// Without a choice of dates.
    fn in_words(&self, months: Option<&Months>) -> Days {
        if self.weekly.is_empty() {
            let of_months = months.map_or(self.month().to_owned(), Months::each);
            return Days::following(format!("on {} of {of_months}", self.nth("and")));
        }
        if !self.monthly.is_empty() {
            return Days::following(format!("on {}{}", self.name(), Months::set_off(months)));
        }
        match self.run() {
            Some(run) => Days { words: run + &Months::set_off(months), follows: false },
            None => Days::following(self.name() + &months.map_or(String::new(), Months::within)),
        }
    }

    /// The days beside a choice of dates.
    fn name(&self) -> String {
        let mut names = Vec::new();
        if let Some(run) = self.run() {
            names.push(format!("every day from {run}"));
        } else if !self.weekly.is_empty() {
            names.push(format!("every {}", joined(&weekday_names(&self.weekly), "and")));
        }
        if !self.monthly.is_empty() {
            names.push(format!("{} of the month", self.nth("and")));
        }
        names.join(", and on ")
    }

    /// What a date has to be, if it has to be one of these as well.
    fn condition(&self) -> String {
        let mut names = weekday_names(&self.weekly);
        if let Some(first) = names.first_mut() {
            first.insert_str(0, "a ");
        }
        if !self.monthly.is_empty() {
            names.push(format!("{} of the month", self.nth("or")));
        }
        joined(&names, "or")
    }

    /// Three and more days in a row, which may go on over Sunday: "Monday to Friday", "Sunday to Thursday".
    fn run(&self) -> Option<String> {
        let previous = |day: u16| if day == 1 { 7 } else { day - 1 };
        let firsts: Vec<u16> =
            self.weekly.iter().copied().filter(|day| !self.weekly.contains(&previous(*day))).collect();
        let [first] = firsts[..] else {
            return None;
        };
        let name = |from_first: usize| WEEKDAYS[(usize::from(first) - 1 + from_first) % 7];
        let count = self.weekly.len();
        (count >= 3).then(|| format!("{} to {}", name(0), name(count - 1)))
    }

    /// "the second and fourth Friday".
    fn nth(&self, conjunction: &str) -> String {
        let nth = |(day, weeks): &(u16, BTreeSet<usize>)| {
            let weeks: Vec<String> =
                weeks.iter().filter_map(|week| WEEKS.get(week.checked_sub(1)?)).map(ToString::to_string).collect();
            format!("the {} {}", joined(&weeks, conjunction), weekday_name(*day))
        };
        joined(&self.monthly.iter().map(nth).collect::<Vec<_>>(), conjunction)
    }

    /// The months of a year without a choice of months; not every month has a fifth Friday.
    fn month(&self) -> &'static str {
        let mut weeks = self.monthly.iter().flat_map(|(_, weeks)| weeks);
        match (weeks.clone().any(|week| *week == 5), weeks.nth(1)) {
            (false, _) => "every month",
            (true, None) => "every month that has one",
            (true, Some(_)) => "the month",
        }
    }
}

fn weekday_name(day: u16) -> String {
    WEEKDAYS.get(usize::from(day).wrapping_sub(1)).map_or(String::new(), ToString::to_string)
}

fn weekday_names(days: &[u16]) -> Vec<String> {
    days.iter().copied().map(weekday_name).collect()
}
