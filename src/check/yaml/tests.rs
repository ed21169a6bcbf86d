#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use serde_json::json;

use super::*;

#[test]
fn every_value_has_its_place() {
    let documents = documents("# first\na: 1\n---\nb:\n  - name: x\n    c: [1, {d: \"e\"}]\n");
    assert_eq!(documents.len(), 2);
    let node = documents[1].node.as_ref().unwrap();
    assert_eq!(node.json(), json!({"b": [{"name": "x", "c": [1, {"d": "e"}]}]}));
    for (path, line, column) in [
        ("b", 4, 1),
        ("b[0].c", 6, 5),
        ("b[x].c", 6, 5),
        ("b[0].c[1].d", 6, 13),
        ("b[0].c[1].nothing", 6, 12),
    ] {
        assert_eq!(node.place_of(path), Place { line, column }, "{path}");
    }
}

#[test]
fn what_is_broken_leaves_the_others_readable() {
    let documents = documents("a: 1\n---\nb: [1\n---\n{\"c\": 2}\n--- \n# nothing\n");
    assert_eq!(documents.len(), 3, "a comment alone says nothing");
    assert_eq!(documents[0].node.as_ref().unwrap().json(), json!({"a": 1}));
    let broken = documents[1].node.as_ref().unwrap_err();
    assert!((3..=4).contains(&broken.place.line), "{broken:?}");
    assert!(!broken.message.contains("line"), "{broken:?}");
    assert_eq!(documents[2].node.as_ref().unwrap().json(), json!({"c": 2}));
}

#[test]
fn anchors_are_what_they_stand_for_and_twice_the_same_key_is_a_mistake() {
    let anchored = documents("a: &x {b: 1}\nc: *x\n");
    assert_eq!(anchored[0].node.as_ref().unwrap().json(), json!({"a": {"b": 1}, "c": {"b": 1}}));
    let twice = documents("a: 1\na: 2\n");
    assert_eq!(twice[0].node.as_ref().unwrap_err().place.line, 2);
}
