//! One customer and one thread, from nothing to nothing; the workspace, its calls.

use crate::support::*;
use transload_plugin_intercom::Intercom;
use transload_sdk::Destination as _;
use transload_sdk::destination::UndoMode;

use transload_sdk::types::Kind;
use transload_simulators::intercom::model::Author;

#[test]
fn a_customer_and_a_thread_arrive_and_are_taken_back() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        let before = account.live();
        account.prepare().await;
        account.people().await;
        let outcomes = account
            .write(Kind::Conversation, vec![account.talk("v1")])
            .await;
        assert!(outcomes.iter().all(is_created), "{outcomes:?}");

        let bo = account.customer("c1");
        assert_eq!(bo.email.as_deref(), Some("bo@example.com"));
        assert_eq!(bo.phone.as_deref(), Some("+15555550123"));
        assert_eq!(bo.notes.len(), 1, "the source card");

        let talk = account.conversation("v1");
        assert_eq!(talk.title.as_deref(), Some("subject of v1"));
        assert_eq!(talk.state.as_str(), "closed");
        assert_eq!(talk.created_at, DAY / 1_000);
        assert_eq!(talk.source.sent_body, "Where is it?");
        assert_eq!(talk.source.author, bo.id);
        let dana = account
            .snapshot()
            .admin_by_email("dana@acme.example")
            .unwrap()
            .id;
        assert_eq!(talk.admin_assignee_id, Some(dana));
        let answer = &talk.parts[0];
        assert_eq!(answer.sent_body.as_deref(), Some("<p>On its way.</p>"));
        assert_eq!(answer.author, Author::Admin(dana));
        assert_eq!(answer.created_at, DAY / 1_000 + 60);
        let card = &talk.parts[1];
        assert_eq!(card.part_type, "note");
        assert!(
            card.sent_body
                .as_deref()
                .unwrap()
                .starts_with("<p>[Migrated: source card]")
        );

        let preview = account.rollback(UndoMode::Preview).await;
        assert_undone(&preview, "preview");
        account.conversation("v1");
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        assert_same(&before, &account.live(), "as it was");
    });
}

#[test]
fn a_closed_conversation_of_two_messages_takes_six_calls() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let items: Vec<_> = (0..50).map(|n| account.talk(&format!("v{n}"))).collect();
        let harness = account.harness();
        let cx = harness.context();
        Intercom::write(&cx, Kind::Conversation, items)
            .await
            .unwrap();
        cx.reported().await.unwrap();
        assert!(harness.outcomes().iter().all(is_created));
        assert_eq!(harness.exchanges().len(), 50 * 6);
    });
}
