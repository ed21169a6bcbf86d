//! `/metrics`, read as strictly as the format is written (OpenMetrics 1.0, which Prometheus reads).

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::{App, Edge, Request, file};

/// What a sample is of: its labels, in their order.
type Labels = Vec<(String, String)>;

/// All samples of one `# TYPE`.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    suffix: String,
    labels: Labels,
    value: f64,
}

/// The whole text; fails at the first line that is wrong.
fn parse(text: &str) -> BTreeMap<String, Family> {
    let lines = text.strip_suffix("# EOF\n").expect("ends with # EOF");
    let mut families = BTreeMap::<String, Family>::new();
    let mut current = String::new();
    for line in lines.lines() {
        if let Some(about) = line.strip_prefix("# ") {
            let [word, name, rest] = about.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            if name != current {
                assert!(!families.contains_key(name), "{name} is there twice");
                name.clone_into(&mut current);
            }
            let family = families.entry(current.clone()).or_default();
            assert!(family.samples.is_empty(), "said of {name} after its samples: {line}");
            match word {
                "TYPE" => rest.clone_into(&mut family.kind),
                "HELP" | "UNIT" => {}
                _ => panic!("neither TYPE, HELP, UNIT nor EOF: {line}"),
            }
            continue;
        }
        let (name, labels, value) = sample(line);
        let suffix = name.strip_prefix(&current).unwrap_or_else(|| panic!("not of {current}: {line}"));
        let family = families.get_mut(&current).expect("a TYPE first");
        let allowed: &[&str] = match family.kind.as_str() {
            "counter" => &["_total", "_created"],
            "gauge" | "unknown" => &[""],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_count", "_sum", "_created"],
            kind => panic!("{current} is a {kind}"),
        };
        assert!(allowed.contains(&suffix), "{suffix:?} of a {}: {line}", family.kind);
        family.samples.push(Sample { suffix: suffix.to_owned(), labels, value });
    }
    families
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> (&str, Labels, f64) {
    let (named, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
    let value = value.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
    let Some((name, labels)) = named.split_once('{') else { return (named, Vec::new(), value) };
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("no end of labels: {line}"));
    // No value here holds a quote or a comma.
    let pairs = labels.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or_else(|| panic!("{pair} in {line}"));
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        (key.to_owned(), value.unwrap_or_else(|| panic!("no quotes: {line}")).to_owned())
    });
    (name, pairs.collect(), value)
}

/// For each set of labels: buckets that only grow, up to `+Inf`, which is the count (section 5.3 of the standard).
fn assert_histogram(name: &str, samples: &[Sample]) {
    let others = |sample: &Sample| -> Labels {
        sample.labels.iter().filter(|(key, _)| key != "le").cloned().collect()
    };
    for labels in samples.iter().map(others).collect::<BTreeSet<_>>() {
        let of = |suffix: &str| {
            samples.iter().filter(|s| s.suffix == suffix && others(s) == labels).collect::<Vec<_>>()
        };
        let buckets: Vec<(f64, f64)> =
            of("_bucket").iter().map(|bucket| (le(bucket), bucket.value)).collect();
        assert!(
            buckets.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1),
            "{name}: {buckets:?}"
        );
        let (bound, most) = *buckets.last().unwrap_or_else(|| panic!("{name} {labels:?} has no bucket"));
        assert!(bound.is_infinite(), "{name} {labels:?} has no bucket +Inf: {buckets:?}");
        assert_eq!(of("_count").iter().map(|s| s.value).collect::<Vec<_>>(), [most], "{name} {labels:?}");
        assert_eq!(of("_sum").len(), 1, "{name} {labels:?}");
    }
}

fn le(bucket: &Sample) -> f64 {
    let (_, bound) = bucket.labels.iter().find(|(key, _)| key == "le").expect("a bucket has a bound");
    match bound.as_str() {
        "+Inf" => f64::INFINITY,
        bound => bound.parse().unwrap_or_else(|error| panic!("le={bound}: {error}")),
    }
}

#[tokio::test]
async fn the_figures_can_be_read() {
    let edge = Edge::start(&file(&[App::named("hello"), App::named("never")])).await;
    for depth in ["light", "deep"] {
        edge.ask(Request::get("hello", "/")).await.seen();
        edge.put_to_sleep("hello", depth).await;
    }
    edge.ask(Request::get("hello", "/?status=500")).await;
    edge.ask(Request::get("nobody", "/")).await;
    let answer = edge.tell("GET", "/metrics").await;
    let kind = answer.header("content-type").expect("a type");
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let families = parse(&answer.text());
    let histograms: Vec<_> = families.iter().filter(|(_, family)| family.kind == "histogram").collect();
    for (name, family) in &histograms {
        assert_histogram(name, &family.samples);
    }
    let filled = histograms.iter().filter(|(_, family)| !family.samples.is_empty()).count();
    assert!(filled >= 2, "of responses and of wakes: {families:#?}");
}
