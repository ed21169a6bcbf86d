#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use super::*;
use crate::kubernetes::fixtures::{application, index};
use crate::kubernetes::index::{Index, Update};

fn mark(annotations: &[(&str, &str)]) -> Option<Mark> {
    Mark::read(7, |name| annotations.iter().find(|(one, _)| *one == name).map(|(_, value)| *value))
}

#[test]
fn annotations_say_how_an_application_sleeps() {
    assert_eq!(mark(&[]), None);
    let deep = mark(&[(ASLEEP, "deep"), (ASLEEP_GENERATION, "5")]);
    assert_eq!(deep, Some(Mark { how: Marked::Agreement(Depth::Deep), generation: 5 }));
    let by_hand = mark(&[(ASLEEP, "yes")]);
    assert_eq!(by_hand, Some(Mark { how: Marked::Agreement(Depth::Light), generation: 7 }));
    let replicas = mark(&[(REPLICAS_MIN, "3"), (ASLEEP_GENERATION, "7")]);
    assert_eq!(replicas, Some(Mark { how: Marked::Replicas(3), generation: 7 }));
}

#[test]
fn an_application_stands_by_its_own_words_and_its_deployment() {
    let light = Some(Marked::Agreement(Depth::Light));
    let deep = Some(Marked::Agreement(Depth::Deep));
    let replicas = Some(Marked::Replicas(2));
    for (sleeps, min, there, stands_so) in [
        (None, 1, Some(1), Stands::Up),
        (None, 1, Some(0), Stands::Up),
        (None, 1, None, Stands::Up),
        (None, 0, Some(0), Stands::Asleep(Depth::Light)),
        (light, 1, Some(0), Stands::Asleep(Depth::Light)),
        (light, 1, Some(1), Stands::Up),
        (deep, 1, None, Stands::Asleep(Depth::Deep)),
        (deep, 1, Some(0), Stands::Asleep(Depth::Light)),
        (replicas, 0, Some(0), Stands::Asleep(Depth::Light)),
        (replicas, 0, Some(2), Stands::Asleep(Depth::Light)),
    ] {
        assert_eq!(stands(sleeps, min, there), stands_so, "{sleeps:?} {min} {there:?}");
    }
}

fn place() -> Key {
    Key::new("wks-7-res-12", "resource-12")
}

const NAMESPACE: &str = "
---
apiVersion: v1
kind: Namespace
metadata: {name: wks-7-res-12}
";

#[test]
fn of_two_applications_for_one_app_the_older_holds() {
    let index = index(&[application("loco", "b", ""), application("loco", "a", "")].join("\n---\n"));
    assert_eq!(&*index.applications.of(&place()).unwrap().meta.key.name, "a", "of the same age");
    assert_eq!(index.applications.iter().count(), 1);
}

fn delete(index: &mut Index) {
    index.apply(Update::Application(Seen::Deleted(Key::new("loco", "resource-12"))));
}

#[test]
fn what_an_application_leaves_behind_is_nobodys_until_its_namespace_is_gone() {
    let namespace = place().namespace;
    let mut here = index(&(application("loco", "resource-12", "") + NAMESPACE));
    assert!(!here.applications.has_left(&namespace));
    delete(&mut here);
    assert!(here.applications.has_left(&namespace) && here.applications.of(&place()).is_none());
    here.apply(Update::Namespace(Seen::Deleted(Key::new("", &namespace))));
    assert!(!here.applications.has_left(&namespace), "nothing of it is kept");

    let mut leaving = index(&(application("loco", "resource-12", "") + NAMESPACE));
    delete(&mut leaving);
    let again = index(&application("loco", "resource-12", "")).applications.of(&place()).unwrap().clone();
    leaving.apply(Update::Application(Seen::Applied((*again).clone())));
    assert!(!leaving.applications.has_left(&namespace), "it is somebody's again");
}

#[test]
fn an_application_without_a_namespace_leaves_nothing() {
    let mut index = index(&application("loco", "resource-12", ""));
    delete(&mut index);
    assert!(!index.applications.has_left(&place().namespace));
}
