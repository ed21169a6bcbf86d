//! What the API says, as people read it.

use std::time::SystemTime;

use serde_json::Value;

use super::table::{Cell, Look, ago, lines, table};

/// What is written on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    pub(super) colours: bool,
    pub(super) now: SystemTime,
}

/// A field's text, if it is one.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// The entries of a list.
fn each<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

/// Texts of a list, in one line.
fn listed(value: &Value) -> String {
    let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.collect::<Vec<_>>().join(" ")
}

/// A number, or a dash.
fn number(value: &Value) -> String {
    value.as_u64().map_or_else(|| "–".to_owned(), |number| number.to_string())
}

/// `awake`, `asleep deep`, `waking probing`, `failed crashed`.
fn state(app: &Value) -> Cell {
    let state = text(app, "state");
    let (more, look) = match state {
        "awake" => ("", Look::Good),
        "asleep" => (text(app, "depth"), Look::Faint),
        "waking" => (text(app, "phase"), Look::Busy),
        "failed" => (text(&app["last_failure"], "code"), Look::Bad),
        _ => ("", Look::Busy),
    };
    Cell::new(format!("{state} {more}").trim_end(), look)
}

impl Screen {
    fn ago(&self, value: &Value) -> String {
        ago(value.as_str(), self.now)
    }

    pub(super) fn pairs(&self, pairs: Vec<(&str, Cell)>) -> String {
        let rows = pairs.into_iter().map(|(name, cell)| vec![Cell::new(name, Look::Faint), cell]);
        lines(rows.collect(), self.colours)
    }

    pub(super) fn apps(&self, answer: &Value) -> String {
        let row = |app: &Value| {
            vec![
                text(app, "name").into(),
                state(app),
                self.ago(&app["since"]).into(),
                number(&app["open"]).into(),
                number(&app["held"]).into(),
                self.ago(&app["last_activity"]).into(),
                text(app, "url").into(),
            ]
        };
        let rows = each(answer, "apps").map(row).collect();
        table(&["NAME", "STATE", "SINCE", "OPEN", "HELD", "USED", "URL"], rows, self.colours)
    }

    /// An app's state, in a line.
    pub(super) fn state(&self, app: &Value) -> String {
        lines(vec![vec![text(app, "name").into(), state(app)]], self.colours)
    }

    pub(super) fn app(&self, app: &Value) -> String {
        let whose = ["org", "workspace", "region", "environment"].map(|name| text(app, name)).join(" / ");
        let wake = match &app["last_wake"] {
            Value::Null => "none in this run".to_owned(),
            wake => {
                let phase = |phase: &Value| format!("{} {} ms", text(phase, "phase"), phase["ms"]);
                let phases: Vec<String> = each(wake, "phases").map(phase).collect();
                format!("{}, {} ms ({})", text(wake, "result"), wake["total_ms"], phases.join(", "))
            }
        };
        let failure = match &app["last_failure"] {
            Value::Null => "none".to_owned(),
            failure => {
                let exit = failure["exit"].as_str().map(|exit| format!(", {exit}"));
                let at = self.ago(&failure["at"]);
                format!("{}{}, {at}", text(failure, "code"), exit.unwrap_or_default())
            }
        };
        let condition =
            |condition: &Value| format!("{}: {}", text(condition, "type"), text(condition, "message"));
        let kept: Vec<String> = each(app, "conditions").map(condition).collect();
        self.pairs(vec![
            ("app", Cell::new(text(app, "name"), Look::Head)),
            ("state", state(app)),
            ("since", self.ago(&app["since"]).into()),
            ("whose", whose.into()),
            ("url", text(app, "url").into()),
            ("routes", listed(&app["routes"]).into()),
            ("own port", number(&app["port"]).into()),
            ("open, held", format!("{}, {}", app["open"], app["held"]).into()),
            ("last used", self.ago(&app["last_activity"]).into()),
            ("last wake", wake.into()),
            ("last failure", failure.into()),
            ("kept awake", if kept.is_empty() { "–".to_owned() } else { kept.join("; ") }.into()),
            ("pid", number(&app["pid"]).into()),
        ])
    }

    pub(super) fn brakes(&self, answer: &Value) -> String {
        let brake = |brake: &Value| format!("{}: {}\n", text(brake, "code"), text(brake, "detail"));
        let pause = |pause: &Value| {
            let since = self.ago(&pause["since"]);
            format!("{} ({since})\n", brake(&pause["brake"]).trim_end())
        };
        let removals = &answer["removals"];
        let stopped = match &removals["brake"] {
            Value::Null => String::new(),
            stopped => brake(stopped),
        };
        let hours = match answer["in_hours"].as_u64() {
            None | Some(0) => String::new(),
            Some(apps) => format!("in-hours: {apps} apps are in their hours\n"),
        };
        let on = each(answer, "pauses").map(pause).collect::<String>() + &hours + &stopped;
        let on = if on.is_empty() { "no brake is on\n".to_owned() } else { on };
        format!("{on}removed within the last hour: {}\n", removals["within_the_hour"])
    }

    /// What pausing or resuming has changed.
    pub(super) fn brake(&self, answer: &Value) -> String {
        let paused = if answer["paused"] == true { "paused" } else { "not paused" };
        let already = if answer["changed"] == true { "" } else { " already" };
        format!("sleep of {} is {paused}{already}\n", text(answer, "scope"))
    }

    pub(super) fn audit(&self, answer: &Value) -> String {
        let row = |entry: &Value| {
            let result = text(&entry["after"], "result");
            let look = if result == "ok" { Look::Plain } else { Look::Bad };
            vec![
                self.ago(&entry["at"]).into(),
                text(entry, "actor").into(),
                text(entry, "action").into(),
                text(entry, "subject").into(),
                Cell::new(result, look),
                change(entry).into(),
            ]
        };
        let rows = each(answer, "entries").map(row).collect();
        table(&["WHEN", "WHO", "WHAT", "SUBJECT", "RESULT", "CHANGE"], rows, self.colours)
    }

    pub(super) fn limits(&self, answer: &Value) -> String {
        let row = |limit: &Value| {
            vec![
                text(limit, "name").into(),
                numbers(limit).into(),
                text(limit, "key").into(),
                matches(&limit["match"]).into(),
                self.stands(limit),
            ]
        };
        let rows: Vec<_> = each(answer, "limits").map(row).collect();
        if rows.is_empty() {
            return "there are no limits\n".to_owned();
        }
        table(&["NAME", "LIMIT", "BY", "OF", "SAYS"], rows, self.colours)
    }

    pub(super) fn limit(&self, limit: &Value) -> String {
        let file = match &limit["file"] {
            Value::Null => None,
            file => Some(("in the file", format!("{} by {}", numbers(file), text(file, "key")).into())),
        };
        let pairs = vec![
            ("limit", Cell::new(text(limit, "name"), Look::Head)),
            ("lets through", numbers(limit).into()),
            ("counts by", text(limit, "key").into()),
            ("hosts", any(&limit["match"]["hosts"]).into()),
            ("paths", any(&limit["match"]["paths"]).into()),
            ("methods", any(&limit["match"]["methods"]).into()),
            ("says", self.stands(limit)),
        ];
        self.pairs(pairs.into_iter().chain(file).collect())
    }

    /// Who says so, and whether it holds.
    fn stands(&self, limit: &Value) -> Cell {
        let who = format!("{}, {}", text(limit, "by"), self.ago(&limit["since"]));
        match (text(limit, "source"), limit["enabled"] == true) {
            ("file", true) => "the file".into(),
            (_, true) => Cell::new(who, Look::Good),
            (_, false) => Cell::new(format!("off: {who}"), Look::Bad),
        }
    }

    /// What a change has made of it; 202 says that not every gateway has followed yet.
    pub(super) fn limit_changed(&self, name: &str, answer: &Value, status: u16) -> String {
        let limit = &answer["limit"];
        let already = if answer["changed"] == true { "" } else { ", as it was" };
        let says = match (limit, limit["enabled"] == true) {
            (Value::Null, _) => format!("{name} is gone{already}\n"),
            (limit, true) => {
                format!("{name} lets through {} by {}{already}\n", numbers(limit), text(limit, "key"))
            }
            (_, false) => format!("{name} of the file is switched off{already}; `restore` switches it on\n"),
        };
        if status != 202 {
            return says;
        }
        let in_use = &answer["in_use"];
        format!(
            "{says}but so far only {} of {} gateways count by it; see GET /v1/limits\n",
            in_use["gateways"], in_use["of"]
        )
    }
}

/// `5/min (2 at once), 3 open`.
fn numbers(limit: &Value) -> String {
    let rate = limit["rate"].as_str().map(|rate| format!("{rate} ({} at once)", limit["burst"]));
    let open = limit["concurrency"].as_u64().map(|most| format!("{most} open"));
    rate.into_iter().chain(open).collect::<Vec<_>>().join(", ")
}

/// A condition.
fn any(values: &Value) -> String {
    let listed = listed(values);
    if listed.is_empty() { "any".to_owned() } else { listed }
}

/// All conditions, in a cell of a table: `POST api.localhost /deploy`. `admin limits show NAME` has all values.
fn matches(matches: &Value) -> String {
    let conditions = ["methods", "hosts", "paths"].map(|name| beginning(&matches[name]));
    let conditions: Vec<_> = conditions.into_iter().filter(|listed| !listed.is_empty()).collect();
    if conditions.is_empty() { "all requests".to_owned() } else { conditions.join(" ") }
}

/// Two values, or the first of more: a table must fit on a screen.
fn beginning(values: &Value) -> String {
    match values.as_array().map(Vec::as_slice) {
        Some([first, _, rest @ ..]) if !rest.is_empty() => {
            format!("{} and {} more", first.as_str().unwrap_or_default(), rest.len() + 1)
        }
        Some(_) | None => listed(values),
    }
}

/// What an entry of the audit says has changed: of an app its state, of a limit its numbers.
fn change(entry: &Value) -> String {
    let limit = |limit: &Value| match limit {
        Value::Null => "none".to_owned(),
        limit if limit["enabled"] == false => "off".to_owned(),
        limit => numbers(limit),
    };
    let app = |app: &Value| format!("{} {}", text(app, "state"), text(app, "depth")).trim_end().to_owned();
    let (before, after) = (&entry["before"], &entry["after"]);
    let (before, after) = match text(entry, "action").split_once('.') {
        Some(("limit", _)) => (limit(before), limit(&after["limit"])),
        Some(("app", _)) => (app(before), app(after)),
        Some(_) | None => return String::new(),
    };
    if before == after { before } else { format!("{before} → {after}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_many_values_a_table_has_the_first() {
        let shown =
            |paths: &[&str]| matches(&json!({ "hosts": ["a.test"], "paths": paths, "methods": ["POST"] }));
        assert_eq!(shown(&[]), "POST a.test");
        assert_eq!(shown(&["/a", "/b"]), "POST a.test /a /b");
        assert_eq!(shown(&["/a", "/b", "/c", "/d"]), "POST a.test /a and 3 more");
    }
}
