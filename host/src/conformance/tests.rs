//! The mock that files describe, and what results say.

use serde_json::{Value, json};

use super::cases::Cases;
use super::platform::{Platform, Request};
use super::rules;
use super::time::TestTime;

const MOCK: &str = r#"
[account]
base = "/api"
secrets = { token = "good" }

[credential]
header = "Authorization"
value = "Bearer good"

[[collection]]
name = "people"
id = "p{n}"
unique = ["email"]
requires = ["name"]
stamp = { at = "{now}" }

[[collection]]
name = "notes"
parent = ["people", "person"]

[[answer]]
on = "POST /people"
create = "people"
status = 201
body = "{record}"

[[answer]]
on = "GET /people"
list = "people"
where = { email = "{query.email}" }
page = { size = "{query.n}", after = "{query.after}" }
body = { people = "{records}", next = "{next}", total = "{total}" }

[[answer]]
on = "GET /people/{id}"
get = "people"
body = "{record}"

[[answer]]
on = "PATCH /people/{id}"
update = "people"
body = "{record}"

[[answer]]
on = "DELETE /people/{id}"
delete = "people"
status = 204

[[answer]]
on = "POST /people/{id}/notes"
create = "notes"
set = { person = "{id}" }
status = 201
body = { note = "{record}", of = "person {id}" }
"#;

async fn ask(mock: &dyn Platform, method: &str, target: &str, body: Value) -> (u16, Value) {
    let request = Request {
        method: method.into(),
        host: "acme.example".into(),
        target: format!("/api{target}"),
        headers: vec![("authorization".into(), "Bearer good".into())],
        body: body.to_string().into_bytes(),
        at: 0,
    };
    let answer = mock.answer(request).await.unwrap();
    let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    (answer.status, body)
}

#[tokio::test]
async fn a_mock_remembers_what_it_was_sent() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mock.toml"), MOCK).unwrap();
    let opens = Cases::load(dir.path()).unwrap().opens();
    let mock = opens(&TestTime::at(0));
    let before = mock.held();

    let (status, ada) = ask(
        &*mock,
        "POST",
        "/people",
        json!({"name": "Ada", "email": "ada@x.example"}),
    )
    .await;
    assert_eq!((status, ada["id"].as_str()), (201, Some("p1")));
    assert_eq!(ada["at"], "1970-01-01T00:00:00.000Z");
    let again = json!({"name": "Ada", "email": "ADA@x.example"});
    assert_eq!(ask(&*mock, "POST", "/people", again).await.0, 409);
    assert_eq!(
        ask(&*mock, "POST", "/people", json!({"email": "b@x.example"}))
            .await
            .0,
        422
    );
    ask(&*mock, "POST", "/people", json!({"name": "Bo"})).await;
    ask(&*mock, "POST", "/people", json!({"name": "Cy"})).await;

    let (_, found) = ask(&*mock, "GET", "/people?email=ada%40x.example", Value::Null).await;
    assert_eq!(
        (found["total"].as_u64(), &found["people"][0]["name"]),
        (Some(1), &json!("Ada"))
    );
    let (_, first) = ask(&*mock, "GET", "/people", Value::Null).await;
    assert_eq!(
        (first["people"].as_array().map(Vec::len), &first["next"]),
        (Some(2), &json!("2"))
    );
    let (_, last) = ask(&*mock, "GET", "/people?after=2&n=5", Value::Null).await;
    assert_eq!(
        (&last["people"][0]["name"], &last["next"]),
        (&json!("Cy"), &Value::Null)
    );

    let (_, changed) = ask(
        &*mock,
        "PATCH",
        "/people/p1",
        json!({"email": null, "age": 3}),
    )
    .await;
    assert_eq!((changed.get("email"), &changed["age"]), (None, &json!(3)));
    let (_, note) = ask(&*mock, "POST", "/people/p1/notes", json!({"text": "hm"})).await;
    assert_eq!(
        (&note["note"]["person"], &note["of"]),
        (&json!("p1"), &json!("person p1"))
    );
    assert_eq!(
        ask(&*mock, "POST", "/people/p9/notes", json!({})).await.0,
        404
    );
    let held = mock.held().unwrap();
    assert_eq!(
        held["notes"],
        json!([{"text": "hm", "person": "one of people"}])
    );

    for id in ["p1", "p2", "p3"] {
        assert_eq!(
            ask(&*mock, "DELETE", &format!("/people/{id}"), Value::Null)
                .await
                .0,
            204
        );
    }
    assert_eq!(ask(&*mock, "GET", "/people/p1", Value::Null).await.0, 404);
    assert_eq!(mock.held(), before);
}

#[test]
fn a_file_that_is_not_of_the_format_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Cases::load(dir.path()).unwrap_err();
    assert_eq!(missing.code(), "no-cases");
    for (text, said) in [
        ("[[answer]]\non = \"people\"\n", "is no request"),
        (
            "[[answer]]\non = \"GET /x\"\nlist = \"y\"\n",
            "no collection \"y\"",
        ),
        ("[[answer]]\non = \"GET /x\"\nanswer = 1\n", "unknown field"),
    ] {
        std::fs::write(dir.path().join("mock.toml"), text).unwrap();
        let error = Cases::load(dir.path()).unwrap_err();
        assert!(error.causes().concat().contains(said), "{error:?}");
    }
}

#[test]
fn every_rule_has_a_number_of_its_own_and_a_paragraph_in_the_spec() {
    let spec = include_str!("../../../docs/connector-spec.md");
    for (n, rule) in rules::ALL.iter().enumerate() {
        assert_eq!(rule.id, format!("C-{}", n + 1));
        let level = match rule.level {
            rules::Level::Must => "MUST",
            rules::Level::Should => "SHOULD",
        };
        let heading = format!("### {} {level}: {}", rule.id, rule.title);
        assert!(
            spec.contains(&heading),
            "docs/connector-spec.md lacks `{heading}`"
        );
    }
}
