//! What runs an app: a Deployment.

use std::path::Path;
use std::time::Duration;

use config::model::{App, Check, ProcessSpec};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, EnvVarSource, GRPCAction, HTTPGetAction, ObjectFieldSelector, PodSpec,
    PodTemplateSpec, Probe, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::app::Around;
use super::left::Left;
use super::place::selector;
use super::port;

/// Why pods get no token, as it stands above a Deployment (measured: 510 ms from replicas 0 to a connection with one,
/// 257 ms without).
pub(super) const NO_TOKEN: [&str; 2] = [
    "automountServiceAccountToken: the volume with the token costs each wake about 0.25 s. Take the line out only if",
    "the app asks the API server something.",
];

/// Seconds. The edge asks for itself; the kubelet's word counts once the app is up.
const PROBE_PERIOD: i32 = 5;

/// The Deployment. How many replicas is left to whoever scales: an app that is applied once more while it sleeps sleeps on.
pub(super) fn deployment(
    app: &App,
    name: &str,
    program: &ProcessSpec,
    around: &Around<'_>,
    left: &mut Left,
) -> Deployment {
    say_directory(app, &program.dir, around.home, left);
    let selector = selector(name);
    let metadata = around.place.metadata(name);
    Deployment {
        metadata: ObjectMeta { labels: Some(selector.clone()), ..metadata },
        spec: Some(DeploymentSpec {
            selector: LabelSelector { match_labels: Some(selector.clone()), match_expressions: None },
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(selector.clone()), ..ObjectMeta::default() }),
                spec: Some(PodSpec {
                    automount_service_account_token: Some(false),
                    containers: vec![container(app, name, program, around, left)],
                    ..PodSpec::default()
                }),
            },
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn container(
    app: &App,
    name: &str,
    program: &ProcessSpec,
    around: &Around<'_>,
    left: &mut Left,
) -> Container {
    let mut words = program.command.iter().map(|word| port::word(word));
    say_loopback(app, &program.command, left);
    Container {
        name: name.to_owned(),
        image: Some(image(app, around, left)),
        command: words.next().map(|program| vec![program]),
        args: Some(words.collect::<Vec<_>>()).filter(|words| !words.is_empty()),
        env: Some(variables(app, program)),
        ports: Some(vec![ContainerPort {
            name: Some(port::NAME.to_owned()),
            container_port: port::CONTAINER,
            ..ContainerPort::default()
        }]),
        readiness_probe: Some(probe(app)),
        ..Container::default()
    }
}

/// `.invalid` is nobody's (RFC 2606): such a pod says what is missing, and pulls nothing.
fn image(app: &App, around: &Around<'_>, left: &mut Left) -> String {
    let name = app.name.as_str();
    if let Some(image) = around.images.get(name) {
        return (*image).to_owned();
    }
    left.app(&app.name, format_args!("it has no image: --image {name}=REGISTRY/IMAGE:TAG"));
    format!("set-an-image.invalid/{name}")
}

/// As `dev` gives them; a file of apps sets none of the edge's own.
fn variables(app: &App, program: &ProcessSpec) -> Vec<EnvVar> {
    let value =
        |name: &str, value: String| EnvVar { name: name.to_owned(), value: Some(value), value_from: None };
    let environment = app.tenant.environment.as_str();
    let instance = ObjectFieldSelector { field_path: "metadata.name".to_owned(), api_version: None };
    let mut variables = vec![
        value("PORT", port::CONTAINER.to_string()),
        value("LOCO_APP_NAME", app.name.to_string()),
        EnvVar {
            name: "LOCO_DEPLOYMENT_ID".to_owned(),
            value: None,
            value_from: Some(EnvVarSource { field_ref: Some(instance), ..EnvVarSource::default() }),
        },
        value("LOCO_PROFILE", port::literal(environment)),
        value("LOCO_VERSION", port::literal(environment)),
    ];
    variables.extend(program.env.iter().map(|(name, text)| value(name, port::literal(text))));
    variables
}

fn probe(app: &App) -> Probe {
    let at = || IntOrString::String(port::NAME.to_owned());
    let mut probe = Probe {
        period_seconds: Some(PROBE_PERIOD),
        timeout_seconds: Some(seconds(app.health.timeout)),
        ..Probe::default()
    };
    match &app.health.check {
        Check::Tcp => probe.tcp_socket = Some(TCPSocketAction { port: at(), host: None }),
        Check::Http { path } => {
            probe.http_get =
                Some(HTTPGetAction { path: Some(path.clone()), port: at(), ..HTTPGetAction::default() });
        }
        Check::Grpc { service } => {
            let service = Some(service.clone()).filter(|service| !service.is_empty());
            probe.grpc = Some(GRPCAction { port: port::CONTAINER, service });
        }
    }
    probe
}

/// Whole seconds, at least one, for the kubelet; the edge has the whole truth from the SleepPolicy.
fn seconds(span: Duration) -> i32 {
    let whole = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    i32::try_from(whole.max(1)).unwrap_or(i32::MAX)
}

fn say_directory(app: &App, dir: &Path, home: Option<&Path>, left: &mut Left) {
    let same = home.is_some_and(|home| dir.canonicalize().is_ok_and(|dir| dir == home));
    if !same {
        left.app(
            &app.name,
            "`dir` is this machine's: in the pod the program runs in the image's own directory",
        );
    }
}

fn say_loopback(app: &App, command: &[String], left: &mut Left) {
    let loopback =
        |word: &&String| ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| word.contains(name));
    if let Some(word) = command.iter().find(loopback) {
        left.app(
            &app.name,
            format_args!("its command says {word:?}: what listens on loopback only is reached by nobody in a pod; let it listen on 0.0.0.0"),
        );
    }
}
