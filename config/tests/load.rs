//! Files of apps, right and wrong, as their writers meet them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends where it is wrong")]

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::load::{Colours, Loaded, Mistakes, Severity, load, parse};
use config::model::{
    After, Check, Endpoint, LimitKey, LimitMatch, Passersby, PathPrefix, Protocol, Role, Source, Treatment,
    WakeMode,
};
use config::settings::ReviveUrl;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn variables(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn parsed(text: &str) -> Result<Loaded, Mistakes> {
    parse("apps.toml", text, Path::new("/srv"), &[])
}

/// The one mistake of a text: its line, its message and its help.
fn only_mistake(text: &str) -> (usize, String, String) {
    let mistakes = parsed(text).expect_err("the text is wrong");
    assert_eq!(mistakes.iter().count(), 1, "{mistakes}");
    let mistake = mistakes.iter().next().unwrap();
    (mistake.place.line.unwrap(), mistake.message.clone(), mistake.help.clone().unwrap())
}

/// Compares the rendering of a wrong file with the text beside it; the variable `RENEW` writes that text anew.
fn renders_as_beside(name: &str) {
    let file = here("tests/data").join(name).with_extension("toml");
    let mistakes = load(&file, &[]).expect_err("the file is wrong");
    let folder = format!("{}/", file.parent().unwrap().display());
    let rendered = mistakes.render(Colours::Plain).replace(&folder, "");
    is_as_in(&file.with_extension("txt"), &rendered);
}

fn is_as_in(file: &Path, rendered: &str) {
    if std::env::var_os("RENEW").is_some() {
        fs::write(file, rendered).unwrap();
    }
    let expected = fs::read_to_string(file).unwrap();
    assert!(rendered == expected, "not as in {}; it is now:\n{rendered}", file.display());
}

#[test]
fn all_mistakes_are_told_at_once() {
    renders_as_beside("mistakes");
}

#[test]
fn what_is_no_toml_hides_nothing_else() {
    renders_as_beside("syntax");
}

#[test]
fn colours_change_nothing_but_colours() {
    let mistakes = parsed("[[app]]\nname = 5\ncommand = [\"true\"]\n").unwrap_err();
    let coloured = mistakes.render(Colours::Ansi);
    assert!(coloured.contains("\u{1b}["));
    let plain: String = coloured.split("\u{1b}[").enumerate().fold(String::new(), |text, (index, part)| {
        text + if index == 0 { part } else { part.split_once('m').map_or("", |(_, rest)| rest) }
    });
    assert_eq!(plain, mistakes.to_string());
}

#[test]
fn mistakes_are_data_too() {
    let text = "[[app]]\nname = \"a\"\ncommand = [\"true\"]\n[[app]]\nname = \"a\"\ncommand = [\"true\"]\n";
    let data = serde_json::to_value(parsed(text).unwrap_err()).unwrap();
    let expected = serde_json::json!([{
        "severity": "error", "file": "apps.toml", "line": 5, "column": 8,
        "message": "there is already an app `a`",
        "help": "an app's name is its own: rename one of the two",
        "related": { "file": "apps.toml", "line": 2, "column": 8, "message": "the first one" },
    }]);
    assert_eq!(data, expected);
}

#[test]
fn every_example_loads() {
    let mut count = 0;
    for entry in fs::read_dir(here("../examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let loaded = load(&path, &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
            assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
            count += 1;
        }
    }
    assert!(count >= 2);
}

#[test]
fn what_is_written_is_what_is_loaded() {
    let text = fs::read_to_string(here("tests/data/valid.toml")).unwrap();
    let loaded = parsed(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(loaded.domain.as_str(), "example.test");
    assert_eq!(loaded.settings.gateway.max_head, 16 << 10);
    assert_eq!(loaded.settings.gateway.max_body, 1 << 30);
    assert_eq!(loaded.settings.revive.backoff_first, Duration::from_millis(500));
    let [one, two, three] = &loaded.apps[..] else { panic!("{:?}", loaded.apps) };

    let Source::Process(process) = &one.source else { panic!("{one:?}") };
    assert_eq!(process.dir, Path::new("/srv/one"));
    assert_eq!(
        process.env.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(),
        ["COLOUR=blue", "GREETING=hi"]
    );
    let routes: Vec<_> = one.routes.iter().map(|r| format!("{}{}", r.host, r.path)).collect();
    assert_eq!(
        routes,
        ["one.example.test/", "one.example.test/api", "*.one.example.test/", "*.one.example.test/api"]
    );
    assert_eq!((one.tenant.org.as_str(), one.tenant.workspace.as_str()), ("acme", "mine"));
    assert_eq!((one.tenant.region.as_str(), one.tenant.environment.as_str()), ("eu-1", "staging"));
    assert_eq!(one.health.check, Check::Http { path: "/healthz?full=1".into() });
    assert_eq!(one.sleep.idle_after, After::Elapsed(Duration::from_secs(30)));
    assert_eq!(one.sleep.remove_after, After::Never);
    assert_eq!((one.wake.mode, one.wake.max_held), (WakeMode::Page, 5));
    assert_eq!(one.wake.hold_timeout, Duration::from_secs(5_400));

    let endpoint = |text: &str, weight| Endpoint { address: text.parse().unwrap(), weight };
    assert_eq!(two.source, Source::Upstreams(vec![endpoint("127.0.0.1:9000", 1), endpoint("[::1]:9001", 3)]));
    assert_eq!((two.sleep.idle_after, two.sleep.remove_after), (After::Never, After::Never));
    assert_eq!((two.wake.max_held, three.wake.max_held), (50, 50));
    assert_eq!(three.routes[0].host.to_string(), "three.example.test");
    assert_eq!(
        [one.protocol, two.protocol, three.protocol],
        [Protocol::Http1, Protocol::Auto, Protocol::H2c]
    );
    assert_eq!(three.health.check, Check::Grpc { service: "shop.v1.Cart".into() });
    assert_eq!(three.wake.mode, WakeMode::Redirect);
    let passersby = Passersby {
        health_checks: Treatment::Wake,
        monitors: Treatment::Answer200,
        crawlers: Treatment::Answer503,
        budget: Duration::from_secs(12 * 3_600),
    };
    assert_eq!((one.wake.passersby, two.wake.passersby), (passersby, Passersby::default()));
}

#[test]
fn limits_are_what_is_written_and_presets_are_written_out() {
    let loaded = parsed(&fs::read_to_string(here("tests/data/valid.toml")).unwrap()).unwrap();
    let [deploys, by_credential, by_client] = &loaded.limits[..] else { panic!("{:?}", loaded.limits) };
    let hosts: Vec<_> = deploys.matches.hosts.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["one.example.test", "*.one.example.test"]);
    assert_eq!(deploys.matches.paths, [PathPrefix::parse("/api").unwrap()]);
    assert_eq!(deploys.matches.methods, ["POST", "PUT"]);
    assert_eq!(deploys.key, LimitKey::Header("x-api-key".into()));
    let rate = deploys.rate.unwrap();
    assert_eq!((rate.to_string().as_str(), rate.burst.get()), ("5/min", 2));
    assert_eq!(deploys.concurrency.map(NonZeroU32::get), Some(3));

    assert_eq!(
        [by_credential.name.as_str(), by_client.name.as_str()],
        ["deploys-by-credential", "deploys-by-client"]
    );
    assert_eq!((&by_credential.key, &by_client.key), (&LimitKey::Credential, &LimitKey::Client));
    for limit in [by_credential, by_client] {
        assert_eq!((limit.matches.paths.len(), &limit.matches.methods[..]), (10, &["POST".to_owned()][..]));
        let paths = limit.matches.paths.iter().map(PathPrefix::as_str).collect::<Vec<_>>();
        assert!(paths.contains(&"/loco.resource.v1.ResourceService/UpdateResourceEnv"), "{paths:?}");
        assert!(paths.contains(&"/deployment.v1.DeploymentService/CreateDeployment"), "{paths:?}");
        assert!(limit.matches.hosts.is_empty() && limit.rate.is_some());
        assert_eq!(limit.concurrency.map(NonZeroU32::get), Some(1));
    }
}

#[test]
fn a_rate_counts_as_many_at_once_unless_it_says_otherwise() {
    let limit = |lines: &str| {
        let text = format!(
            "[[app]]\nname = \"a\"\ncommand = [\"a\"]\n[[limit]]\nname = \"l\"\nkey = \"app\"\n{lines}\n"
        );
        parsed(&text).unwrap_or_else(|mistakes| panic!("{mistakes}")).limits[0].clone()
    };
    assert_eq!(limit("rate = \"7/10s\"").rate.unwrap().burst.get(), 7);
    assert_eq!(limit("concurrency = 2").rate, None);
    assert_eq!(limit("concurrency = 2").matches, LimitMatch::default());
}

#[test]
fn a_limit_of_what_no_app_answers_is_a_warning() {
    let warned = |matches: &str| {
        let text = format!(
            "[[app]]\nname = \"a\"\ncommand = [\"a\"]\nhosts = [\"a.test\", \"*.b.test\"]\npaths = [\"/x/y\"]\n\
             [[limit]]\nname = \"l\"\nkey = \"app\"\nrate = \"1/s\"\nmatch = {{ {matches} }}\n"
        );
        let loaded = parsed(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        loaded.warnings.iter().map(|warning| warning.message.clone()).collect::<Vec<_>>()
    };
    for matches in
        ["", "hosts = [\"a.test\"]", "hosts = [\"c.b.test\", \"*.c.b.test\"]", "hosts = [\"*.test\"]"]
    {
        assert_eq!(warned(matches), Vec::<String>::new(), "{matches}");
    }
    for paths in ["/", "/x", "/x/y/z"] {
        assert_eq!(warned(&format!("paths = [\"{paths}\"]")), Vec::<String>::new(), "{paths}");
    }
    assert_eq!(warned("hosts = [\"b.test\"]"), ["no app answers at b.test"]);
    assert_eq!(warned("hosts = [\"a.test\"], paths = [\"/x/z\"]"), ["no app answers at /x/z"]);
}

#[test]
fn tokens_are_known_by_hashes_and_show_none() {
    let loaded = parsed(&fs::read_to_string(here("tests/data/valid.toml")).unwrap()).unwrap();
    let [alice] = &loaded.tokens[..] else { panic!("{:?}", loaded.tokens) };
    assert_eq!((alice.name.as_str(), alice.role), ("alice", Role::Operator));
    // `printf %s '' | sha256sum`, `printf %s hunter2-hunter2-hunter2 | sha256sum`
    let hex = |bytes: &[u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let hashes: Vec<_> = alice.secrets.iter().map(hex).collect();
    assert_eq!(hashes[0], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(hashes[1], "ae71c4cdf5d735963a372732e38e6c3198c25c4cc759e915682f4f04219c077e");
    let shown = format!("{loaded:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("227, 176") && shown.contains("alice"));
    let warning = loaded.warnings.iter().next().unwrap();
    assert_eq!(warning.message, "a secret stands in this file as it is");
    assert!(warning.help.as_ref().unwrap().contains("printf %s SECRET | sha256sum"));
}

#[test]
fn no_mistake_shows_a_secret() {
    for name in ["mistakes", "syntax"] {
        let file = here("tests/data").join(name).with_extension("toml");
        assert!(fs::read_to_string(&file).unwrap().contains("hunter2"));
        let mistakes = load(&file, &[]).unwrap_err();
        let data = serde_json::to_string(&mistakes).unwrap();
        assert!(!mistakes.to_string().contains("hunter2") && !data.contains("hunter2"));
    }
}

#[test]
fn secrets_for_claims_are_long_few_and_not_shown() {
    let long = "hunter2-hunter2-hunter2-hunter2-hunter2";
    let secrets = |list: &str| {
        parsed(&format!("[gateway]\nclaim_secrets = {list}\n[[app]]\nname = \"a\"\ncommand = [\"a\"]\n"))
    };
    let loaded = secrets(&format!("[{long:?}, {long:?}]")).unwrap();
    assert_eq!(loaded.settings.gateway.claim_secrets[1].as_bytes(), long.as_bytes());
    assert!(!format!("{:?}", loaded.settings).contains("hunter2"));
    for wrong in ["\"hunter2\"", "[\"hunter2\"]", "[7]", &format!("[{long:?}, {long:?}, {long:?}]")] {
        let mistakes = secrets(wrong).unwrap_err();
        assert_eq!(mistakes.iter().count(), 1, "{mistakes}");
        assert!(
            mistakes.to_string().contains("at least 32 bytes") && !mistakes.to_string().contains("hunter2")
        );
    }
    let variable = variables(&[("LOCO_EDGE__GATEWAY__CLAIM_SECRETS", &format!("{long}, {long}x"))]);
    let text = "[[app]]\nname = \"a\"\ncommand = [\"a\"]\n";
    let loaded = parse("apps.toml", text, Path::new("/srv"), &variable).unwrap();
    assert_eq!(loaded.settings.gateway.claim_secrets.len(), 2);
    for wrong in ["hunter2", &format!("{long},{long}x,{long}y")] {
        let variable = variables(&[("LOCO_EDGE__GATEWAY__CLAIM_SECRETS", wrong)]);
        let mistakes = parse("apps.toml", text, Path::new("/srv"), &variable).unwrap_err().to_string();
        assert!(mistakes.contains("LOCO_EDGE__GATEWAY__CLAIM_SECRETS") && !mistakes.contains("hunter2"));
    }
}

#[test]
fn wakes_are_as_many_as_one_likes_or_so_many_in_so_long() {
    let wakes = |value: &str| {
        let text =
            format!("[gateway]\nmax_wakes_per_client = {value}\n[[app]]\nname = \"a\"\ncommand = [\"a\"]\n");
        parsed(&text).map(|loaded| loaded.settings.gateway.max_wakes_per_client)
    };
    assert_eq!(wakes("\"none\"").unwrap(), None);
    assert_eq!(wakes("\"10/min\"").unwrap().unwrap().to_string(), "10/min");
    for wrong in ["10", "\"10\"", "\"0/min\"", "false"] {
        assert_eq!(wakes(wrong).unwrap_err().iter().count(), 1, "{wrong}");
    }
}

#[test]
fn what_is_not_written_has_the_documented_default() {
    let loaded = parsed("[[app]]\nname = \"a\"\ncommand = [\"a\"]\n").unwrap();
    let app = &loaded.apps[0];
    assert_eq!(app.sleep.idle_after, After::Elapsed(Duration::from_secs(900)));
    assert_eq!(app.sleep.remove_after, After::Elapsed(Duration::from_secs(604_800)));
    assert_eq!((app.wake.mode, app.wake.max_held), (WakeMode::Auto, 10_000));
    assert_eq!(
        (app.wake.page_after, app.wake.hold_timeout),
        (Duration::from_secs(2), Duration::from_secs(30))
    );
    assert_eq!((&app.health.check, app.health.grace), (&Check::Tcp, Duration::from_secs(60)));
    assert_eq!(app.response_timeout, Duration::from_secs(60));
    assert_eq!((loaded.region.as_str(), loaded.environment.as_str()), ("local", "dev"));
    assert_eq!(loaded.settings, config::settings::Settings::default());
}

#[test]
fn a_sleep_default_follows_what_is_written() {
    let sleep = |lines: &str| {
        parsed(&format!("[[app]]\nname = \"a\"\ncommand = [\"a\"]\n{lines}\n")).unwrap().apps[0].sleep
    };
    assert_eq!(sleep("idle_after = \"never\"").remove_after, After::Never);
    assert_eq!(sleep("idle_after = \"30d\"").remove_after, After::Elapsed(Duration::from_secs(30 * 86_400)));
    assert_eq!(sleep("remove_after = \"5m\"").idle_after, After::Elapsed(Duration::from_secs(300)));
}

#[test]
fn variables_override_the_file() {
    let text =
        "region = \"eu\"\n[gateway]\nheader_timeout = \"9s\"\n[[app]]\nname = \"a\"\ncommand = [\"a\"]\n";
    let set = variables(&[
        ("LOCO_EDGE__GATEWAY__HEADER_TIMEOUT", "5s"),
        ("LOCO_EDGE__GATEWAY__MAX_CONNECTIONS", "77"),
        ("LOCO_EDGE__GATEWAY__MAX_BODY", "1024"),
        ("LOCO_EDGE__REVIVE__STOP_TIMEOUT", "1s"),
        ("LOCO_EDGE__REGION", "us"),
        ("LOCO_EDGE__DOMAIN", "apps.test"),
        ("LOCO_OTHER", "not ours"),
    ]);
    let loaded =
        parse("apps.toml", text, Path::new("/srv"), &set).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(loaded.settings.gateway.header_timeout, Duration::from_secs(5));
    assert_eq!((loaded.settings.gateway.max_connections, loaded.settings.gateway.max_body), (77, 1_024));
    assert_eq!(loaded.settings.revive.stop_timeout, Duration::from_secs(1));
    assert_eq!(loaded.region.as_str(), "us");
    assert_eq!(loaded.apps[0].routes[0].host.to_string(), "a.apps.test");
}

#[test]
fn wrong_variables_are_mistakes_and_unknown_ones_keep_their_values_to_themselves() {
    let set = variables(&[
        ("LOCO_EDGE__GATEWAY__HEADER_TIMOUT", "hunter2"),
        ("LOCO_EDGE__GATEWAY__IDLE_TIMEOUT", "60"),
        ("LOCO_EDGE__GATEWAY__THREADS", "many"),
        ("LOCO_EDGE__SOMETHING__ELSE", "hunter2"),
    ]);
    let text = "[[app]]\nname = \"a\"\ncommand = [\"a\"]\n";
    let mistakes = parse("apps.toml", text, Path::new("/srv"), &set).unwrap_err().to_string();
    is_as_in(&here("tests/data/environment.txt"), &mistakes);
    assert!(!mistakes.contains("hunter2"));
}

#[test]
fn a_wildcard_beside_a_host_that_it_covers_is_right() {
    let text = "[[app]]\nname = \"a\"\ncommand = [\"a\"]\nhosts = [\"*.x.test\"]\n\
                [[app]]\nname = \"b\"\ncommand = [\"b\"]\nhosts = [\"b.x.test\"]\n";
    assert_eq!(parsed(text).map(|loaded| loaded.apps.len()).map_err(|m| m.to_string()), Ok(2));
}

#[test]
fn a_missing_program_is_a_warning() {
    let file = temporary("warning.toml", b"[[app]]\nname = \"a\"\ncommand = [\"no-such-program\"]\n");
    let loaded = load(&file, &variables(&[("PATH", "/bin")])).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(loaded.warnings.count(Severity::Warning), 1);
    let warning = loaded.warnings.iter().next().unwrap();
    assert_eq!(warning.message, "there is no program \"no-such-program\" in PATH");
}

#[test]
fn a_file_of_nothing_but_mistakes_is_cut_short() {
    let unknown: String = (0..1_500).map(|n| format!("strange_{n} = 1\n")).collect();
    let mistakes = parsed(&format!("{unknown}[[app]]\nname = \"a\"\ncommand = [\"a\"]\n")).unwrap_err();
    assert_eq!((mistakes.iter().count(), mistakes.left_out()), (1_000, 500));
    assert!(mistakes.to_string().ends_with("\n1000 errors and 500 more that are not shown in apps.toml\n"));
}

#[test]
fn a_slip_is_guessed_even_where_it_is_a_key_elsewhere() {
    let (line, message, help) =
        only_mistake("[[app]]\nname = \"a\"\ncommand = [\"a\"]\n[gateway]\nmax_held = 1\n");
    assert_eq!((line, &*message), (5, "unknown key `max_held` in [gateway]"));
    assert_eq!(help, "did you mean `max_head`?");
}

#[test]
fn settings_that_contradict_one_another_are_told() {
    let app = |lines: &str| only_mistake(&format!("[[app]]\nname = \"a\"\ncommand = [\"a\"]\n{lines}\n"));
    assert_eq!(
        app("health = { http = \"/\", tcp = true }").1,
        "a health check is one of `http`, `tcp` and `grpc`"
    );
    assert_eq!(app("health = { tcp = false }").1, "without `tcp`, a health check needs `http` or `grpc`");
    assert_eq!(app("idle_after = false").2, "did you mean \"never\"?");
    assert_eq!(app("hold_timeout = \"never\"").1, "`hold_timeout` cannot be \"never\"");
    assert_eq!(app("hosts = [\"a.test\", \"A.test\"]").1, "`a` says twice that it answers at a.test/");
    assert_eq!(app("[gateway]\nmax_head = 1024").1, "`max_request_line` is larger than `max_head`");
    assert_eq!(app("[revive]\nbackoff_first = \"2h\"").1, "`backoff_first` is larger than `backoff_max`");
    for list in ["[app]", "[[apps]]", "[App]"] {
        let (_, told, _) = only_mistake(&format!("{list}\nname = \"a\"\ncommand = [\"a\"]\n"));
        assert!(told.to_lowercase().contains("`app"), "{told}");
    }
    assert_eq!(app("hosts = [\"localhost:80\"]").2, "a host has no port: did you mean \"localhost\"?");
    assert!(app("hosts = [\"a b\"]").2.contains("*.example.com"));
    assert_eq!(app("idle_after = \"1y\"").2, "did you mean \"365d\"?");
    for path in ["/..", "/a/%2e%2E/b", "/.%2e", "/%2e"] {
        assert_eq!(app(&format!("paths = [\"{path}\"]")).1, format!("`paths` cannot be \"{path}\""));
    }
    assert_eq!(only_mistake("").1, "there are no apps in this file");
    assert_eq!(only_mistake("[[app]]\ncommand = [\"a\"]\n").1, "this app has no name");
}

#[test]
fn who_answers_twice_is_told_where_that_is_written() {
    let places = |text: &str| {
        let mistakes = parsed(text).expect_err("the text is wrong");
        let mistake = mistakes.iter().next().expect("a mistake");
        let related = mistake.related.as_ref().expect("another place");
        let place = |place: &config::load::Place| (place.line.unwrap(), place.column.unwrap());
        (place(&mistake.place), place(&related.place))
    };
    let app = |name: &str, lines: &str| format!("[[app]]\nname = \"{name}\"\ncommand = [\"a\"]\n{lines}\n");
    assert_eq!(places(&app("a", "paths = [\"/x\", \"/y\", \"/x/\"]")), ((4, 22), (4, 10)));
    assert_eq!(places(&app("a", "hosts = [\"h\", \"H\"]\npaths = [\"/x\"]")), ((4, 15), (4, 10)));
    // Two apps at one host, which the second has by its name.
    let text =
        app("a", "hosts = [\"b.localhost\"]\npaths = [\"/x\"]") + &app("b", "paths = [\"/y\", \"/x\"]");
    assert_eq!(places(&text), ((9, 16), (4, 10)));
}

fn temporary(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let told = |path: &Path| {
        let mistakes = load(path, &[]).unwrap_err();
        let mistake = mistakes.iter().next().unwrap().clone();
        assert!(mistake.help.is_some(), "{mistakes}");
        mistake.message
    };
    assert_eq!(told(Path::new("no/such/file.toml")), "there is no such file");
    assert_eq!(told(&here("tests")), "this is a directory");
    assert_eq!(told(&temporary("latin1.toml", b"a = 1\nb = \"\xe4\"\n")), "line 2 of the file is not UTF-8");
    assert_eq!(told(&temporary("large.toml", &vec![b'#'; (16 << 20) + 1])), "the file is larger than 16 MiB");
}

#[test]
fn nobody_takes_the_host_of_the_page_that_revives_apps() {
    let revive = "[[app]]\nname = \"revive\"\ncommand = [\"a\"]\n";
    let (line, message, help) = only_mistake(revive);
    assert_eq!(line, 2);
    assert!(message.contains("`revive.localhost`") && help.contains("revive_url"), "{message}: {help}");
    let elsewhere = format!("{revive}[gateway]\nrevive_url = \"https://platform.example/\"\n");
    let url = ReviveUrl::Elsewhere("https://platform.example".into());
    assert_eq!(parsed(&elsewhere).unwrap().settings.gateway.revive_url, url);
    let domain = format!("domain = \"apps.test\"\n{}", revive.replace("\"revive\"", "\"hello\""));
    let loaded = parsed(&domain).unwrap();
    assert_eq!(loaded.settings.gateway.revive_url, ReviveUrl::below("apps.test"));
}
