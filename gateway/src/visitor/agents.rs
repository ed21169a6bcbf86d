//! The names by which monitors and crawlers give themselves away, as they stand in `User-Agent`.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::Passerby;

/// They ask again and again whether the app is up, and read nothing.
const MONITORS: [&str; 25] = [
    "uptimerobot",
    "pingdom",
    "statuscake",
    "site24x7",
    "better uptime bot",
    "betterstack",
    "updown.io",
    "hetrixtools",
    "freshping",
    "nodeping",
    "checkly",
    "uptime-kuma",
    "datadogsynthetics",
    "newrelicpinger",
    "googlestackdrivermonitoring",
    "googlehc/",
    "elb-healthchecker",
    "amazon-route53-health-check-service",
    "cloudflare-healthchecks",
    "cloudflare-traffic-manager",
    "kube-probe",
    "consul health check",
    "blackbox exporter",
    "blackbox-exporter",
    "check_http/",
];

/// They read what is there, whenever they come by: search engines, those that learn from what they read, those that watch
/// links, and those that show what a link leads to.
const CRAWLERS: [&str; 43] = [
    "googlebot",
    "googleother",
    "google-inspectiontool",
    "adsbot-google",
    "mediapartners-google",
    "bingbot",
    "bingpreview",
    "yandex.com/bots",
    "baiduspider",
    "duckduckbot",
    "applebot",
    "seznambot",
    "sogou web spider",
    "petalbot",
    "qwantbot",
    "coccocbot",
    "yeti/",
    "gptbot",
    "oai-searchbot",
    "claudebot",
    "perplexitybot",
    "ccbot",
    "bytespider",
    "amazonbot",
    "meta-externalagent",
    "archive.org_bot",
    "ia_archiver",
    "ahrefsbot",
    "semrushbot",
    "mj12bot",
    "dotbot",
    "blexbot",
    "dataforseobot",
    "serpstatbot",
    "barkrowler",
    "facebookexternalhit",
    "twitterbot",
    "linkedinbot",
    "slackbot",
    "discordbot",
    "telegrambot",
    "censysinspect",
    "zgrab",
];

/// All of them in one pass, one step a byte: every request is asked.
static NAMES: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let mut names = AhoCorasick::builder();
    names.ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA));
    names.build(MONITORS.iter().chain(&CRAWLERS)).ok()
});

/// Whom a `User-Agent` names first, if anybody.
pub(super) fn find(agent: &[u8]) -> Option<Passerby> {
    let found = NAMES.as_ref()?.find(agent)?;
    Some(if found.pattern().as_usize() < MONITORS.len() { Passerby::Monitor } else { Passerby::Crawler })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_known_by_its_name_in_any_case() {
        assert!(NAMES.is_some());
        let all = MONITORS.map(|name| (name, Passerby::Monitor)).into_iter();
        for (name, passerby) in all.chain(CRAWLERS.map(|name| (name, Passerby::Crawler))) {
            let agent = format!("Mozilla/5.0 (compatible; {}/1.0)", name.to_ascii_uppercase());
            assert_eq!(find(agent.as_bytes()), Some(passerby), "{agent}");
        }
    }

    #[test]
    fn they_are_known_by_what_they_really_send() {
        for (agent, passerby) in [
            ("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", Passerby::Monitor),
            ("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", Passerby::Monitor),
            ("Better Uptime Bot Mozilla/5.0 (Windows NT 10.0; Win64; x64)", Passerby::Monitor),
            ("ELB-HealthChecker/2.0", Passerby::Monitor),
            ("GoogleHC/1.0", Passerby::Monitor),
            (
                "GoogleStackdriverMonitoring-UptimeChecks(https://cloud.google.com/monitoring)",
                Passerby::Monitor,
            ),
            ("Blackbox Exporter/0.25.0", Passerby::Monitor),
            ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", Passerby::Crawler),
            ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", Passerby::Crawler),
        ] {
            assert_eq!(find(agent.as_bytes()), Some(passerby), "{agent}");
        }
    }

    #[test]
    fn people_and_programs_are_not_taken_for_them() {
        for agent in [
            "",
            "curl/8.5.0",
            "python-requests/2.32.3",
            "Go-http-client/2.0",
            "grpc-go/1.76.0",
            "okhttp/4.12.0",
            "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "GitHub-Hookshot/044aadd",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 YaBrowser/25.2.0 Yowser/2.5 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/142.0 Mobile Safari/537.36 DuckDuckGo/5",
        ] {
            assert_eq!(find(agent.as_bytes()), None, "{agent}");
        }
    }
}
