//! Whether a JSON value is as a schema of an OpenAPI file says: the part of JSON Schema (2020-12) that our file uses.
//! A keyword that is not known here fails, so that nothing is taken for checked that is not.

use serde_json::Value;

/// All that is not as the schema says; `whole` is what its references point into.
pub(crate) fn violations(whole: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Check { whole, found: &mut found }.value("", schema, value);
    found
}

/// What `$ref` points to, or the value itself.
pub(crate) fn resolved<'a>(whole: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').expect("a reference into the file");
            whole.pointer(pointer).unwrap_or_else(|| panic!("{reference} points to nothing"))
        }
        None => value,
    }
}

struct Check<'a> {
    whole: &'a Value,
    found: &'a mut Vec<String>,
}

impl Check<'_> {
    fn say(&mut self, at: &str, what: String) {
        self.found.push(format!("{at}: {what}"));
    }

    fn value(&mut self, at: &str, schema: &Value, value: &Value) {
        let schema = resolved(self.whole, schema).as_object().expect("a schema is an object");
        for (keyword, says) in schema {
            let right = match keyword.as_str() {
                "description" | "examples" | "default" | "required" | "properties" | "$ref" => true,
                "type" => is_of_type(says, value),
                "enum" => says.as_array().expect("a list").contains(value),
                "minimum" => value.as_f64().is_none_or(|n| Some(n) >= says.as_f64()),
                "maximum" => value.as_f64().is_none_or(|n| Some(n) <= says.as_f64()),
                "maxItems" => value.as_array().is_none_or(|items| Some(items.len() as u64) <= says.as_u64()),
                "format" => says == "date-time" && value.as_str().is_none_or(is_date_time),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.value(&format!("{at}/{index}"), says, item);
                    }
                    true
                }
                "anyOf" => {
                    let ways = says.as_array().expect("a list");
                    ways.iter().any(|way| violations(self.whole, way, value).is_empty())
                }
                "additionalProperties" => {
                    let known = &schema.get("properties").unwrap_or(&Value::Null);
                    let unknown = |name: &String| known.get(name).is_none();
                    says == true || !value.as_object().is_some_and(|object| object.keys().any(unknown))
                }
                other => panic!("the keyword {other:?} is not known here"),
            };
            if !right {
                self.say(at, format!("{value} is not as `{keyword}`: {says} says"));
            }
        }
        let Some(object) = value.as_object() else { return };
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if !object.contains_key(name.as_str().expect("a name")) {
                self.say(at, format!("{name} is missing"));
            }
        }
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if let Some(value) = object.get(name) {
                self.value(&format!("{at}/{name}"), schema, value);
            }
        }
    }
}

fn is_of_type(types: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().expect("a type's name") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type {other}"),
    };
    types.as_array().map_or_else(|| is(types), |types| types.iter().any(is))
}

/// As the API writes them: RFC 3339, in UTC.
fn is_date_time(text: &str) -> bool {
    let shape = |b: u8| if b.is_ascii_digit() { b'0' } else { b };
    let shape: Vec<u8> = text.bytes().map(shape).collect();
    shape == b"0000-00-00T00:00:00.000Z"
}

#[test]
fn what_is_wrong_is_found() {
    use serde_json::json;
    let whole = json!({ "a": { "type": "object", "properties": { "n": { "type": ["integer", "null"], "minimum": 1 } },
        "required": ["n"], "additionalProperties": false } });
    let schema = json!({ "type": "array", "items": { "anyOf": [{ "$ref": "#/a" }, { "enum": ["x"] }] } });
    let count = |value| violations(&whole, &schema, &value).len();
    assert_eq!(count(json!([{ "n": 1 }, { "n": null }, "x"])), 0);
    assert_eq!(count(json!([{ "n": 0 }, {}, { "n": 1, "m": 1 }, { "n": "1" }, "y"])), 5);
    assert_eq!(count(json!({})), 1);
    assert!(is_date_time("2026-01-02T03:04:05.678Z") && !is_date_time("yesterday"));
}
