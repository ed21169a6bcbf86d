//! Apps of a cluster, where others start, stop and delete them, too.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use config::link::{Depth, Failure, Instance, Phase, Status};
use config::model::{After, App, Endpoint, Service, Source, Workload, WorkloadKind};

use super::fakes::{
    Edge, Gateway, IDLE, REMOVE, SLEEPLESS, SOON, app, asleep, awake, failed, id, seconds, settle,
};
use crate::driver::NotAsleep;
use crate::driver::view::AppView;
use crate::platform::{Event, Exit, Note, Rest, Standing};

const EXITED: Event = Event::Exited(Exit::Unknown);
const LIGHT: Standing = Standing::Asleep(Depth::Light);
const DEEP: Standing = Standing::Asleep(Depth::Deep);

fn workload(name: &str) -> App {
    let workload = Workload { kind: WorkloadKind::Deployment, name: name.into() };
    service(name, Some(workload))
}

fn service(name: &str, workload: Option<Workload>) -> App {
    let cluster = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 80)));
    let service = Service { namespace: "shop".into(), name: name.into(), cluster, workload };
    App { source: Source::Service(service), ..app(name) }
}

fn at(ports: &[u16]) -> Arc<[Endpoint]> {
    ports.iter().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, *port)).into()).collect()
}

fn up(ports: &[u16]) -> Standing {
    Standing::Up { endpoints: at(ports) }
}

fn awake_at(instance: u64, ports: &[u16]) -> Status {
    Status::Awake { instance: Instance(instance), endpoints: at(ports) }
}

/// An app that a leader finds up, and a gateway.
async fn one_up() -> (Edge, Gateway) {
    let mut edge = Edge::on_cluster([(workload("a"), up(&[1, 2]))]);
    let gateway = edge.gateway().await;
    assert_eq!(edge.command().await, "adopt a 1");
    (edge, gateway)
}

/// Lets it sleep when it has been idle for long enough.
async fn sleeps(edge: &mut Edge, gateway: &mut Gateway, instance: u64, depth: Depth) {
    let round = gateway.drains("a", IDLE + SOON).await;
    gateway.quiesced("a", round, 0);
    assert_eq!(edge.command().await, format!("stop {instance} {}", depth.as_str()));
    edge.report("a", instance, EXITED);
    gateway.sees("a", asleep(depth)).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_begins_with_what_is() {
    let up_already = (workload("up"), up(&[1, 2]));
    let stranger = (service("theirs", None), up(&[7]));
    let (light, deep) = ((workload("light"), LIGHT), (workload("deep"), DEEP));
    let (starting, none) = ((workload("starting"), up(&[])), (workload("none"), Standing::Nothing));
    let mut edge = Edge::on_cluster([up_already, light, deep, starting, none, stranger]);
    let mut gateway = edge.gateway().await;
    assert!(
        matches!(gateway.tabled("up"), Some(Status::Awake { endpoints, .. }) if *endpoints == at(&[1, 2]))
    );
    assert_eq!(gateway.tabled("light"), Some(&asleep(Depth::Light)));
    assert_eq!(gateway.tabled("deep"), Some(&asleep(Depth::Deep)));
    assert!(matches!(gateway.tabled("starting"), Some(Status::Waking { phase: Phase::Creating, .. })));
    assert_eq!(gateway.tabled("none"), Some(&awake_at(0, &[])));
    assert_eq!(gateway.tabled("theirs"), Some(&awake_at(0, &[7])));
    let mut commands = [edge.command().await, edge.command().await];
    commands.sort();
    assert!(commands[0].starts_with("adopt starting") && commands[1].starts_with("adopt up"), "{commands:?}");
    gateway.wants("none");
    edge.idles(seconds(1)).await;
    edge.stands("theirs", up(&[7, 8]));
    gateway.sees("theirs", awake_at(0, &[7, 8])).await;
    edge.stands("theirs", Standing::Nothing);
    gateway.sees("theirs", awake_at(0, &[])).await;
}

#[tokio::test(start_paused = true)]
async fn light_sleep_is_another_start_and_deep_sleep_a_removal() {
    let (mut edge, mut gateway) = one_up().await;
    sleeps(&mut edge, &mut gateway, 1, Depth::Light).await;
    gateway.wants("a");
    assert_eq!(edge.command().await, "start a 2");
    edge.report("a", 2, Event::Phase(Phase::Pulling));
    while !matches!(gateway.hears("a", SOON).await, Status::Waking { phase: Phase::Pulling, .. }) {}
    edge.created("a", 2);
    gateway.reaches("a", 2);
    gateway.sees("a", awake(2)).await;
    sleeps(&mut edge, &mut gateway, 2, Depth::Light).await;
    assert_eq!(edge.command_within(REMOVE).await, "remove a");
    edge.stands("a", DEEP);
    gateway.sees("a", asleep(Depth::Deep)).await;
    edge.idles(REMOVE).await;
    gateway.wants("a");
    assert_eq!(edge.command().await, "start a 3");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_came_to_nothing_is_tried_again_much_later() {
    let (mut edge, mut gateway) = one_up().await;
    sleeps(&mut edge, &mut gateway, 1, Depth::Light).await;
    assert_eq!(edge.command_within(REMOVE).await, "remove a");
    edge.stands("a", LIGHT);
    gateway.sees("a", asleep(Depth::Light)).await;
    edge.idles(seconds(599)).await;
    assert_eq!(edge.command_within(seconds(2)).await, "remove a");
}

#[tokio::test(start_paused = true)]
async fn the_platform_says_who_takes_requests_once_it_has_said_so_and_nobody_means_wait() {
    let mut edge = Edge::on_cluster([(workload("a"), LIGHT)]);
    let mut gateway = edge.gateway().await;
    gateway.wants("a");
    assert_eq!(edge.command().await, "start a 1");
    edge.created("a", 1);
    gateway.reaches("a", 1);
    gateway.sees("a", awake(1)).await;
    edge.report("a", 1, Event::Endpoints(at(&[1, 2])));
    gateway.sees("a", awake_at(1, &[1, 2])).await;
    gateway.say(config::link::ToRevive::Unreachable { app: id("a"), instance: Instance(1) });
    gateway.hears_nothing("a", seconds(1)).await;
    edge.report("a", 1, Event::Endpoints(at(&[])));
    assert!(matches!(gateway.hears("a", SOON).await, Status::Waking { .. }));
    gateway.reaches("a", 1);
    gateway.hears_nothing("a", seconds(1)).await;
    edge.report("a", 1, Event::Endpoints(at(&[3])));
    gateway.sees("a", awake_at(1, &[3])).await;
    edge.idles(seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_ready_by_the_platforms_word_needs_no_probe() {
    let mut edge = Edge::on_cluster([(workload("a"), LIGHT)]);
    let mut gateway = edge.gateway().await;
    gateway.wants("a");
    assert_eq!(edge.command().await, "start a 1");
    edge.report("a", 1, Event::Endpoints(at(&[5])));
    gateway.sees("a", awake_at(1, &[5])).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_deploys_a_sleeping_app_wakes_it_and_whoever_puts_it_down_has_not_crashed_it() {
    let mut edge = Edge::on_cluster([(workload("a"), DEEP)]);
    let mut gateway = edge.gateway().await;
    edge.stands("a", up(&[]));
    assert_eq!(edge.command().await, "adopt a 1");
    edge.created("a", 1);
    gateway.reaches("a", 1);
    gateway.sees("a", awake(1)).await;
    edge.report("a", 1, Event::PutDown(Rest::Asleep(Depth::Light)));
    gateway.sees("a", asleep(Depth::Light)).await;
    assert_eq!(edge.view("a").await.last_failure, None);
    edge.stands("a", up(&[4]));
    assert_eq!(edge.command().await, "adopt a 2");
    gateway.sees("a", awake_at(2, &[4])).await;
    // As a platform may say it of what it has given an address.
    edge.stands("a", Standing::Nothing);
    gateway.sees("a", awake_at(0, &[])).await;
    gateway.wants("a");
    edge.idles(seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_wake_that_fails_is_put_down_and_a_deploy_that_fails_is_not() {
    let patient = super::fakes::with_sleep(workload("b"), After::Elapsed(REMOVE), After::Never);
    let mut edge = Edge::on_cluster([(workload("a"), LIGHT), (patient, DEEP)]);
    let mut gateway = edge.gateway().await;
    gateway.wants("a");
    assert_eq!(edge.command().await, "start a 1");
    edge.notes("a", Note::Why(Failure::ImagePull, "no such image: x".into()));
    edge.report("a", 1, Event::NotCreated(Failure::ImagePull));
    assert_eq!(edge.command().await, "stop 1 light");
    gateway.sees("a", failed(Failure::ImagePull, seconds(1))).await;
    assert_eq!(edge.view("a").await.message.as_deref(), Some("no such image: x"));

    edge.stands("b", up(&[]));
    assert_eq!(edge.command().await, "adopt b 2");
    edge.report("b", 2, Event::Ails(Failure::Unschedulable));
    edge.idles(seconds(29)).await;
    let shown = || Status::Failed { failure: Failure::Unschedulable, retry_after: seconds(1) };
    let told = async { while gateway.hears("b", seconds(2)).await != shown() {} };
    told.await;
    edge.idles(seconds(1)).await;
    // Whoever asks again waits for what is wrong with it now.
    gateway.wants("b");
    assert_eq!(edge.command().await, "adopt b 2");
    edge.report("b", 2, Event::NotCreated(Failure::ImagePull));
    gateway.sees("b", failed(Failure::ImagePull, seconds(2))).await;
    edge.report("b", 2, Event::Endpoints(at(&[6])));
    gateway.sees("b", awake_at(2, &[6])).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_put_back_is_put_down_again_and_then_sleeps_no_deeper_than_what_sticks() {
    let (mut edge, mut gateway) = one_up().await;
    let asked = edge.sleep("a", Depth::Deep);
    assert_eq!(asked.await.unwrap(), Err(NotAsleep::JustBegun));
    edge.idles(SLEEPLESS).await;
    let asked = edge.sleep("a", Depth::Deep);
    let round = gateway.drains("a", SOON).await;
    gateway.quiesced("a", round, 0);
    assert_eq!(edge.command().await, "stop 1 deep");
    edge.report("a", 1, EXITED);
    assert_eq!(asked.await.unwrap(), Ok(()));
    for (instance, depth) in [(2, "deep"), (3, "light")] {
        edge.stands("a", Standing::PutBack);
        assert_eq!(edge.command().await, format!("adopt a {instance}"));
        assert_eq!(edge.command().await, format!("stop {instance} {depth}"));
        edge.report("a", instance, EXITED);
    }
    gateway.sees("a", asleep(Depth::Light)).await;
    let conditions = edge.view("a").await.conditions;
    assert_eq!(conditions.iter().map(|condition| condition.r#type).collect::<Vec<_>>(), ["UndoneBy"]);
    edge.idles(REMOVE * 2).await;
}

fn undone_by(view: &AppView) -> bool {
    view.conditions.iter().any(|condition| condition.r#type == "UndoneBy")
}

/// Comes up, for somebody who asked for it.
async fn comes_up(edge: &mut Edge, gateway: &mut Gateway, instance: u64) {
    edge.report("a", instance, Event::Endpoints(at(&[5])));
    gateway.sees("a", awake_at(instance, &[5])).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_put_back_while_it_is_asked_for_stays_up_after_the_second_time() {
    let (mut edge, mut gateway) = one_up().await;
    sleeps(&mut edge, &mut gateway, 1, Depth::Light).await;
    // The wake finds it so.
    gateway.wants("a");
    assert_eq!(edge.command().await, "start a 2");
    edge.notes("a", Note::PutBack(Depth::Light));
    comes_up(&mut edge, &mut gateway, 2).await;
    assert!(!undone_by(&edge.view("a").await));
    let round = gateway.drains("a", IDLE + SOON).await;
    gateway.quiesced("a", round, 0);
    assert_eq!(edge.command().await, "stop 2 light");
    // It is put back before the pods have gone, and the wake has not begun.
    gateway.wants("a");
    settle().await;
    edge.stands("a", Standing::PutBack);
    assert_eq!(edge.command().await, "adopt a 3");
    comes_up(&mut edge, &mut gateway, 3).await;
    assert!(undone_by(&edge.view("a").await));
    edge.idles(IDLE * 3).await;
    // A scale by hand, an eviction: no reason to begin again.
    edge.stands("a", up(&[6]));
    edge.idles(IDLE * 3).await;
    edge.notes("a", Note::Deployed);
    gateway.drains("a", IDLE + SOON).await;
    assert!(!undone_by(&edge.view("a").await));
}

#[tokio::test(start_paused = true)]
async fn what_is_only_made_again_sleeps_lightly_after_the_second_time() {
    let (mut edge, mut gateway) = one_up().await;
    for instance in [1, 2] {
        sleeps(&mut edge, &mut gateway, instance, Depth::Light).await;
        assert_eq!(edge.command_within(REMOVE).await, "remove a");
        edge.stands("a", DEEP);
        gateway.sees("a", asleep(Depth::Deep)).await;
        gateway.wants("a");
        assert_eq!(edge.command().await, format!("start a {}", instance + 1));
        edge.notes("a", Note::PutBack(Depth::Deep));
        comes_up(&mut edge, &mut gateway, instance + 1).await;
    }
    assert!(undone_by(&edge.view("a").await));
    sleeps(&mut edge, &mut gateway, 3, Depth::Light).await;
    edge.idles(REMOVE * 3).await;
}

#[tokio::test(start_paused = true)]
async fn what_would_lose_data_does_not_sleep_so() {
    let (mut edge, mut gateway) = one_up().await;
    edge.notes("a", Note::WouldLoseData(Depth::Light, "the volume scratch".into()));
    gateway.hears_nothing("a", REMOVE * 2).await;
    let refused = edge.sleep("a", Depth::Deep).await.unwrap();
    assert_eq!(refused.unwrap_err().to_string(), "it would lose data: the volume scratch");
    assert_eq!(edge.view("a").await.conditions[0].r#type, "WouldLoseData");
    edge.notes("a", Note::WouldLoseData(Depth::Deep, "the volume scratch".into()));
    let round = gateway.drains("a", SOON).await;
    gateway.quiesced("a", round, 0);
    assert_eq!(edge.command().await, "stop 1 light");
    edge.report("a", 1, EXITED);
    edge.idles(REMOVE * 2).await;
    edge.notes("a", Note::LosesNothing);
    assert_eq!(edge.command().await, "remove a");
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_no_longer_one_is_let_go_as_it_is() {
    let (mut edge, mut gateway) = one_up().await;
    edge.reload([]).await;
    assert_eq!(edge.command().await, "forget a");
    assert_eq!(edge.knows("a").await, None);
    assert!(gateway.reads_table().await.apps.is_empty());
    edge.report("a", 1, EXITED);
    edge.idles(seconds(60)).await;
}

#[tokio::test(start_paused = true)]
async fn another_workload_is_another_app_and_another_template_is_not() {
    let (mut edge, mut gateway) = one_up().await;
    let mut moved = workload("a");
    let Source::Service(service) = &mut moved.source else { panic!("a Service") };
    service.cluster = None;
    edge.reload([moved.clone()]).await;
    gateway.reads_table().await;
    assert_eq!(gateway.tabled("a"), Some(&awake_at(1, &[1, 2])));
    let Source::Service(service) = &mut moved.source else { panic!("a Service") };
    service.workload = Some(Workload { kind: WorkloadKind::StatefulSet, name: "a".into() });
    edge.reload([moved]).await;
    assert_eq!(edge.command().await, "forget a");
    gateway.reads_table().await;
    assert_eq!(gateway.tabled("a"), Some(&awake_at(0, &[])), "until the platform says how it stands");
    edge.stands("a", LIGHT);
    gateway.sees("a", asleep(Depth::Light)).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_sleeps_before_a_gateway_that_left_has_no_lease() {
    let (mut edge, gateway) = one_up().await;
    drop(gateway);
    let mut far = edge.far_gateway().await;
    edge.idles(IDLE - seconds(4)).await;
    far.renews(1).await;
    drop(far);
    // Twelve seconds from its last lease; who asks for the app meanwhile does so elsewhere.
    edge.idles(seconds(11)).await;
    assert_eq!(edge.command_within(seconds(1) + SOON).await, "stop 1 light");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_whose_lease_is_over_is_not_waited_for() {
    let (mut edge, gateway) = one_up().await;
    drop(gateway);
    let mut far = edge.far_gateway().await;
    edge.idles(IDLE - seconds(10)).await;
    far.renews(1).await;
    // It hears of the attempt and says nothing: cut off. Its lease is over two seconds into the attempt.
    far.drains("a", seconds(10) + SOON).await;
    edge.idles(seconds(1)).await;
    assert_eq!(edge.command_within(seconds(1) + SOON).await, "stop 1 light");
    far.sees("a", asleep(Depth::Light)).await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_with_a_lease_is_asked_and_renews_it_at_once() {
    let (mut edge, gateway) = one_up().await;
    drop(gateway);
    let mut far = edge.far_gateway().await;
    for renewal in 1..=9 {
        far.renews(renewal).await;
        edge.idles(seconds(3)).await;
    }
    far.renews(10).await;
    let round = far.drains("a", seconds(4)).await;
    edge.idles(seconds(4)).await;
    far.quiesced("a", round, 0);
    assert_eq!(edge.command().await, "stop 1 light");
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_puts_nothing_to_sleep_at_first() {
    let never = super::fakes::with_sleep(workload("a"), After::Elapsed(seconds(1)), After::Never);
    let mut edge = Edge::on_cluster([(never, up(&[1]))]);
    assert_eq!(edge.command().await, "adopt a 1");
    edge.idles(SLEEPLESS - SOON).await;
    assert_eq!(edge.command_within(SOON * 2).await, "stop 1 light");
}
