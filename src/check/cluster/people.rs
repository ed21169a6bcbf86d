//! What the edge makes of objects, for people.

use std::fmt::{self, Display, Formatter};

use super::summary::{AppSummary, GatewaySummary, LimitSummary, RouteSummary, Summary};
use crate::check::counted;

impl Summary {
    /// Such as `shop.yaml: 2 apps, no mistakes`.
    pub(in crate::check) fn total(&self) -> String {
        format!("{}: {}, no mistakes\n", self.texts.join(", "), counted(self.apps.len(), "app"))
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.apps.iter().try_for_each(|app| write!(f, "{app}"))?;
        self.gateways.iter().try_for_each(|gateway| write!(f, "{gateway}"))?;
        listed(f, "routes: the first that matches a host's request has it", &self.routes)?;
        listed(f, "limits", &self.limits)?;
        listed(f, "left alone", &self.left_alone)
    }
}

fn listed<T: Display>(f: &mut Formatter<'_>, title: &str, all: &[T]) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title}")?;
    all.iter().try_for_each(|one| writeln!(f, "  {one}"))
}

impl Display for AppSummary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "app {}", self.id)?;
        let workload = self.workload.as_deref().unwrap_or("somebody else");
        writeln!(f, "  run by   {workload}, behind Service {}", self.services.join(", "))?;
        writeln!(f, "  tenant   org {}, workspace {}", self.org, self.workspace)?;
        writeln!(f, "  at       {}", self.reached.join(", "))?;
        writeln!(f, "  sleeps   {}", self.sleeps())?;
        if self.idle_after != "never" {
            writeln!(f, "  wakes    {}", self.wake_words())?;
        }
        writeln!(
            f,
            "  is up    {}, asked for {} at most; a start may take {}",
            self.up(),
            self.health_timeout,
            self.grace
        )?;
        if !self.wakes.is_empty() {
            writeln!(f, "  needs    {}", self.wakes.join(", "))?;
        }
        self.hours.iter().try_for_each(|hours| writeln!(f, "  awake    {hours}"))
    }
}

impl AppSummary {
    fn sleeps(&self) -> String {
        let what = self.workload.as_deref().and_then(|workload| workload.split(' ').next());
        match (what, &*self.idle_after, &*self.remove_after) {
            (None, _, _) => "never: the edge does not run it".to_owned(),
            (Some(_), "never", _) => "never: no SleepPolicy says when".to_owned(),
            (Some(_), idle, "never") => format!("idle for {idle}: no replicas"),
            (Some(what), idle, remove) if idle == remove => format!("idle for {remove}: no {what}"),
            (Some(what), idle, remove) => format!("idle for {idle}: no replicas; for {remove}: no {what}"),
        }
    }

    fn wake_words(&self) -> String {
        let held = format!("held for {} at most, {} at once", self.hold_timeout, self.max_held);
        match self.wake {
            "auto" => {
                format!("auto: browsers see the waiting page after {}; others are {held}", self.page_after)
            }
            "page" => format!("page: browsers see the waiting page at once; others are {held}"),
            "redirect" => {
                format!("redirect: GET and HEAD are sent to the page that revives; others are {held}")
            }
            mode => format!("{mode}: all are {held}"),
        }
    }

    fn up(&self) -> String {
        match self.health.split_once(' ') {
            Some(("http", path)) => format!("GET {path} is answered with 200 to 399"),
            Some((_, service)) => format!("its gRPC health service says SERVING for {service}"),
            None if self.health == "grpc" => "its gRPC health service says SERVING".to_owned(),
            None => "it accepts a connection".to_owned(),
        }
    }
}

impl Display for GatewaySummary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let assumed = if self.assumed { " (not in these files)" } else { "" };
        writeln!(f, "gateway {}{assumed}", self.name)?;
        for one in &self.listeners {
            let host = if one.host == "*" { "any host" } else { &one.host };
            let routes = usize::try_from(one.routes).unwrap_or_default();
            let works = if one.works { "" } else { "; not in use" };
            writeln!(
                f,
                "  {}  {} {}, {host}: {}{works}",
                one.name,
                one.protocol,
                one.port,
                counted(routes, "route")
            )?;
        }
        Ok(())
    }
}

impl Display for RouteSummary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let host = if self.host == "*" { "any host" } else { &self.host };
        let to = match (&*self.to, &*self.filters) {
            ([], filters) if filters.contains(&"RequestRedirect") => "redirect".to_owned(),
            ([], _) => "nobody (500)".to_owned(),
            (to, _) => to.join(", "),
        };
        write!(f, "{host} {} → {to}  ({})", self.matches, self.rule)
    }
}

impl Display for LimitSummary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rate = self.rate.as_ref().map(|rate| match self.burst {
            Some(burst) => format!("{rate}, {burst} at once"),
            None => rate.clone(),
        });
        let open = self.concurrency.map(|most| format!("{most} open"));
        let what: Vec<String> = rate.into_iter().chain(open).collect();
        write!(f, "{}: {} by {}", self.name, what.join(", "), self.key)?;
        let of = [&self.methods, &self.hosts, &self.paths];
        of.iter().filter(|words| !words.is_empty()).try_for_each(|words| write!(f, "; {}", some(words)))
    }
}

/// The first few words of many.
fn some(words: &[String]) -> String {
    match words {
        [first, second, third, _, ..] => format!("{first}, {second}, {third} and {} more", words.len() - 3),
        few => few.join(", "),
    }
}
