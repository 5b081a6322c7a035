//! What documents must look like, which documents they may name, and the form in which texts are kept.

use serde_json::{Value, json};

use crate::harness::{Device, Server, verdicts};

const VISITS: &str = r#"
collections:
  sites:
    read: document.owner == user.id
    create: 'true'
    update: 'true'
    delete: 'true'
  visits:
    read: 'true'
    create: 'true'
    update: 'true'
    delete: 'true'
    references: { site: sites }
    normalize: { inspector: [trim], email: [trim, lowercase], phone: [phone], dueAt: [date] }
    schema:
      type: object
      required: [inspector]
      properties:
        inspector: { type: string, minLength: 1 }
        email: { type: string, format: email }
        phone: { type: string, format: phone }
        dueAt: { type: string, format: date }
        rating: { type: integer, minimum: 1, maximum: 5 }
"#;

async fn ada() -> (Server, Device) {
    (Server::configured(VISITS).await, Device::of("ada", 1))
}

async fn seen(server: &Server, device: &Device, document: &str) -> Value {
    let changes = server.pull(device, "").await.page().changes;
    let change = changes.iter().find(|change| change.document.as_str() == document).unwrap();
    serde_json::from_str(change.data.as_ref().unwrap().text()).unwrap()
}

#[tokio::test]
async fn what_is_not_as_its_schema_says_is_refused_alone_and_with_its_field() {
    let (server, ada) = ada().await;
    let reply = server
        .push(
            &ada,
            &[
                ada.create(1, "a", &json!({ "inspector": "Ada", "rating": 6 })),
                ada.create(2, "b", &json!({ "rating": 5 })),
                ada.create(3, "c", &json!({ "inspector": "Ada", "rating": 5 })),
                ada.patch(4, "c", 0, "/rating", &json!("five")),
                ada.patch(5, "c", 0, "/inspector", &json!("Ben")),
            ],
        )
        .await
        .batch();
    let refused = "rejected validation_failed";
    assert_eq!(verdicts(&reply), [refused, refused, "applied", refused, "merged"]);
    let fields: Vec<_> =
        reply.results.iter().map(|result| result.field.as_ref().map(ToString::to_string)).collect();
    let named = |field: &str| Some(field.to_owned());
    assert_eq!(fields, [named("/rating"), named("/inspector"), None, named("/rating"), None]);
    assert_eq!(seen(&server, &ada, "c").await, json!({ "inspector": "Ben", "rating": 5 }));
}

#[tokio::test]
async fn texts_are_kept_in_their_form_and_whoever_wrote_them_is_told_what_was_changed() {
    let (server, ada) = ada().await;
    let visit = ada.create(
        1,
        "a",
        &json!({ "inspector": " Ada ", "email": "ADA@Example.org", "phone": "+49 (0)30 12 34", "dueAt": "1.12.2026" }),
    );
    let reply = server.push(&ada, std::slice::from_ref(&visit)).await.batch();
    assert_eq!(verdicts(&reply), ["merged"], "it is not as it was sent");
    let result = &reply.results[0];
    assert_eq!(
        result.field.as_ref().map(ToString::to_string).as_deref(),
        Some("/dueAt"),
        "the first as it was sent"
    );
    let message = result.message.as_deref().unwrap();
    for field in ["/inspector", "/email", "/phone", "/dueAt"] {
        assert!(message.contains(field), "{message}");
    }
    assert!(!message.contains("Ada"), "{message}");
    let kept = json!({
        "inspector": "Ada", "email": "ada@example.org", "phone": "+49301234", "dueAt": "2026-12-01",
    });
    assert_eq!(seen(&server, &ada, "a").await, kept);
    let again = server.push(&ada, &[visit]).await.batch();
    assert!(again.results[0].duplicate);
    assert_eq!((&again.results[0].message, &again.results[0].field), (&result.message, &result.field));
    let plain = server.push(&ada, &[ada.patch(2, "a", 1, "/inspector", &json!("Ben"))]).await.batch();
    assert_eq!((verdicts(&plain), &plain.results[0].message), (vec!["applied".to_owned()], &None));
}

#[tokio::test]
async fn a_document_names_only_what_is_there_and_its_writer_may_see() {
    let (server, ada) = ada().await;
    let ben = Device::of("ben", 2);
    server.push(&ben, &[ben.create_in("sites", 1, "bens", &json!({ "owner": "ben" }))]).await.batch();
    let visit = |n, document: &str, site: Value| {
        ada.create(n, document, &json!({ "inspector": "Ada", "site": site }))
    };
    let reply = server
        .push(
            &ada,
            &[
                visit(1, "a", json!("mine")),
                visit(2, "b", json!("bens")),
                visit(3, "c", json!(7)),
                visit(4, "d", Value::Null),
                ada.create_in("sites", 5, "mine", &json!({ "owner": "ada" })),
                visit(6, "e", json!("mine")),
            ],
        )
        .await
        .batch();
    let refused = "rejected validation_failed";
    assert_eq!(verdicts(&reply), [refused, refused, refused, "applied", "applied", "applied"]);
    assert_eq!(reply.results[0].message, reply.results[1].message, "unseen and not there look alike");
    assert_eq!(reply.results[0].field.as_ref().map(ToString::to_string).as_deref(), Some("/site"));
    let reply = server
        .push(
            &ada,
            &[
                ada.delete_in("sites", 7, "mine", 1),
                ada.patch(8, "e", 1, "/rating", &json!(4)),
                ada.patch(9, "e", 2, "/site", &json!("bens")),
                visit(10, "f", json!("mine")),
            ],
        )
        .await
        .batch();
    assert_eq!(verdicts(&reply), ["applied", "applied", refused, refused], "what it names may go later");
}

#[tokio::test]
async fn what_a_writer_had_before_their_eyes_is_not_asked_for_where_documents_are_decided_as_wholes() {
    let all = "read: 'true', create: 'true', update: 'true', delete: 'true'";
    let visits =
        format!("visits: {{ {all}, policy: document-last-write-wins, references: {{ site: sites }} }}");
    let server = Server::configured(&format!("collections: {{ sites: {{ {all} }}, {visits} }}")).await;
    let [ada, ben, cora] = [("ada", 1), ("ben", 2), ("cora", 3)].map(|(user, n)| Device::of(user, n));
    let made = [
        ada.create_in("sites", 1, "a", &json!({})),
        ada.create_in("sites", 2, "b", &json!({})),
        ada.create(3, "v", &json!({ "site": "a" })),
    ];
    server.push(&ada, &made).await.batch();
    let moved = server.push(&ben, &[ben.patch(1, "v", 1, "/site", &json!("b"))]).await.batch();
    assert_eq!(verdicts(&moved), ["applied"]);
    let titled = server.push(&cora, &[cora.patch(1, "v", 1, "/title", &json!("Roof"))]).await.batch();
    assert_eq!(verdicts(&titled), ["conflict"], "she named nothing");
}
