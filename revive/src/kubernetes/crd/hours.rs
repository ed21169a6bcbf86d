//! Hours in which an app is awake, asked for or not.

use jiff::tz::TimeZone;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mistake::Mistakes;
use crate::schedule::{self, UnknownZone};

/// Hours of some days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.from != self.to").message("from and to are the same: for all day write 00:00 and 24:00"))]
pub struct HoursSpec {
    /// The days on which they begin; every day unless said.
    #[serde(default = "every_day")]
    #[schemars(length(min = 1, max = 7))]
    pub days: Vec<Day>,
    /// When they begin, such as `08:00`.
    #[schemars(length(max = 5), regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub from: String,
    /// When they end, such as `18:30`; up to `24:00`. Before `from` it is a time of the next day.
    #[schemars(length(max = 5), regex(pattern = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"))]
    pub to: String,
    /// By which clock: a name of the time zone database, such as `Europe/Berlin`.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"))]
    pub time_zone: String,
}

fn every_day() -> Vec<Day> {
    Day::ALL.to_vec()
}

fn utc() -> String {
    "UTC".to_owned()
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// A week.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];
}

/// Hours of some days, in minutes since midnight of a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// The days on which they begin, at least one, in order, each once.
    pub days: Vec<Day>,
    /// Below 1440.
    pub from: u16,
    /// At most 1440, and not `from`; below `from` it is a time of the next day.
    pub to: u16,
    /// A name of the time zone database.
    pub time_zone: Box<str>,
}

impl Hours {
    /// As they are reckoned with.
    ///
    /// # Errors
    /// Where there is no such time zone any more.
    pub fn reckoned(&self) -> Result<schedule::Hours, UnknownZone> {
        let week = (0_u8..).zip(Day::ALL);
        let days: Vec<u8> = week.filter(|(_, day)| self.days.contains(day)).map(|(at, _)| at).collect();
        schedule::Hours::new(&days, self.from, self.to, &self.time_zone)
    }
}

impl HoursSpec {
    pub(super) fn parsed(&self, at: usize, mistakes: &mut Mistakes) -> Option<Hours> {
        let field = |name: &str| format!("schedule[{at}].{name}");
        let from = mistakes.read(field("from"), Some(&self.from), |text| time(text, 1439))?;
        let to = mistakes.read(field("to"), Some(&self.to), |text| time(text, 1440))?;
        mistakes.read(field("timeZone"), Some(&self.time_zone), |zone| {
            TimeZone::get(zone).map_err(|_| UnknownZone(zone.to_owned()))
        })?;
        let mut days = self.days.clone();
        days.sort_unstable();
        days.dedup();
        if from == to || days.is_empty() {
            mistakes
                .add(field("to"), "no minute lies between from and to: for all day write 00:00 and 24:00");
            return None;
        }
        Some(Hours { days, from, to, time_zone: self.time_zone.as_str().into() })
    }
}

/// Minutes since midnight.
fn time(text: &str, latest: u16) -> Result<u16, &'static str> {
    const RIGHT: &str = "hours and minutes, such as \"08:30\", up to \"24:00\"";
    let (hours, minutes) = text.split_once(':').ok_or(RIGHT)?;
    let number = |digits: &str| digits.parse::<u16>().ok().filter(|_| digits.len() == 2);
    let (hours, minutes) = number(hours).zip(number(minutes)).ok_or(RIGHT)?;
    let time = (hours <= 24 && minutes < 60).then(|| hours * 60 + minutes);
    time.filter(|time| *time <= latest).ok_or(RIGHT)
}
