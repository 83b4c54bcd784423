//! The org's schema: what is found, what is made, who may see it.

use crate::support::Stand as _;
use crate::support::{
    Org, assert_same, assert_undone, definition, is_created, object_type, with_options,
};
use transload_plugin_salesforce::Salesforce;
use transload_plugin_salesforce::map::FieldTarget;
use transload_sdk::Destination as _;
use transload_sdk::destination::UndoMode;
use transload_sdk::ledger::{Action, Status};
use transload_sdk::session::Severity;
use transload_sdk::types::{FieldType, Kind, Owner, ReferenceType};

fn owner(kind: Kind) -> Owner {
    let object_type = (kind == Kind::CustomObject).then(|| "order".to_owned());
    Owner { kind, object_type }
}

#[tokio::test]
async fn prepare_makes_its_fields_once_and_a_rollback_takes_them_back() {
    let mut org = Org::unprepared(|_| {});
    let before = org.sim.state_fingerprint();
    org.prepare().await;
    let fields: Vec<String> = org.snapshot().objects["Contact"]
        .fields
        .iter()
        .filter(|field| field.name.starts_with("Transload_"))
        .map(|field| field.name.clone())
        .collect();
    assert!(
        fields.contains(&"Transload_Source_Id__c".to_owned()),
        "{fields:?}"
    );
    let whole = org.sim.state_fingerprint();
    org.prepare().await;
    assert_same(&whole, &org.sim.state_fingerprint(), "prepared twice");
    let undone = org.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "");
    assert_same(&before, &org.sim.state_fingerprint(), "taken back");
}

#[tokio::test]
async fn an_activity_that_takes_no_external_id_is_no_obstacle() {
    let org = Org::with(|config| config.switches.activity_external_id = false).await;
    let state: serde_json::Value = serde_json::from_str(org.state().unwrap()).unwrap();
    let own: Vec<&str> = state["own"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|v| v.as_str())
        .collect();
    assert!(!own.contains(&"Task.Transload_Source_Id__c"), "{own:?}");
    assert!(own.contains(&"Case.Transload_Source_Id__c"), "{own:?}");
}

#[tokio::test]
async fn fields_are_made_by_type_and_seen_at_once() {
    let org = Org::new().await;
    let items = vec![
        definition(
            owner(Kind::Conversation),
            "promisedAt",
            "Promised",
            FieldType::Moment,
        ),
        definition(
            owner(Kind::Conversation),
            "paidBool",
            "Paid",
            FieldType::Boolean,
        ),
        with_options(
            definition(
                owner(Kind::Conversation),
                "tierStr",
                "Tier",
                FieldType::Choice,
            ),
            &[("gold", "Gold"), ("silver", "Silver")],
        ),
        definition(
            owner(Kind::Conversation),
            "bad name!",
            "Odd",
            FieldType::Integer,
        ),
    ];
    let outcomes = org.write(Kind::FieldDefinition, items).await;
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
    let targets: Vec<FieldTarget> = outcomes
        .iter()
        .map(|o| FieldTarget::parse(&o.effects[0].target_id).unwrap())
        .collect();
    assert_eq!(targets[0].to_string(), "Case.promisedAt__c:DateTime");
    assert_eq!(targets[2].to_string(), "Case.tierStr__c:Picklist");
    assert!(targets[3].name.starts_with("bad_name_"), "{:?}", targets[3]);
    // Each has the row that shows it.
    assert!(
        outcomes.iter().all(|o| o.effects.len() == 2),
        "{outcomes:?}"
    );
    let case = &org.snapshot().objects["Case"];
    let tier = case.fields.iter().find(|f| f.name == "tierStr__c").unwrap();
    assert_eq!(tier.label, "Tier");
}

#[tokio::test]
async fn a_field_that_is_there_is_used_and_one_of_another_type_is_left_alone() {
    let mut org = Org::new().await;
    let tier = || definition(owner(Kind::Customer), "tierStr", "Tier", FieldType::Text);
    org.write(Kind::FieldDefinition, vec![tier()]).await;
    org.run = "r2".to_owned();
    org.prepare().await;
    let outcomes = org.write(Kind::FieldDefinition, vec![tier()]).await;
    assert_eq!(outcomes[0].effects[0].action, Action::Matched);
    let number = definition(owner(Kind::Customer), "tierStr", "Tier", FieldType::Integer);
    let outcomes = org.write(Kind::FieldDefinition, vec![number]).await;
    let target = FieldTarget::parse(&outcomes[0].effects[0].target_id).unwrap();
    assert!(
        is_created(&outcomes[0]) && target.name != "tierStr__c",
        "{target:?}"
    );
}

#[tokio::test]
async fn an_object_is_deployed_with_its_own_fields_and_lookups_follow() {
    let mut org = Org::unprepared(|_| {});
    let before = org.sim.state_fingerprint();
    org.prepare().await;
    let outcomes = org
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    assert_eq!(outcomes[0].effects[0].target_id, "Order__c");
    let former = definition(
        owner(Kind::CustomObject),
        "formerId",
        "Former",
        FieldType::Reference(ReferenceType {
            kind: Some(Kind::CustomObject),
            object_type: Some("order".to_owned()),
            multi: false,
        }),
    );
    let outcomes = org.write(Kind::FieldDefinition, vec![former]).await;
    assert_eq!(
        outcomes[0].effects[0].target_id,
        "Order__c.formerId__c:Lookup(Order__c)"
    );
    let object = &org.snapshot().objects["Order__c"];
    let names: Vec<&str> = object.fields.iter().map(|f| f.name.as_str()).collect();
    for name in ["Transload_Source_Id__c", "Transload_Case__c", "formerId__c"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let undone = org.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "");
    assert_same(&before, &org.sim.state_fingerprint(), "as before");
}

#[tokio::test]
async fn an_object_that_is_there_gets_what_it_lacks() {
    let mut org = Org::new().await;
    org.write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    org.run = "r2".to_owned();
    org.prepare().await;
    let outcomes = org
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    assert_eq!(outcomes[0].effects[0].action, Action::Matched);
    assert!(
        matches!(outcomes[0].status, Status::Matched),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn the_check_says_whose_the_credential_is_and_what_it_lacks() {
    let org = Org::unprepared(|config| {
        config.permissions.modify_all = false;
        config.permissions.audit_fields = false;
    });
    let harness = org.harness();
    let account = Salesforce::check(&harness.context()).await.unwrap();
    assert!(
        account.id.starts_with("00D") && account.id.len() == 18,
        "{account:?}"
    );
    assert_eq!(account.missing, ["Modify All Data"]);
    let danger = account
        .notices
        .iter()
        .find(|n| n.code == "audit-fields")
        .unwrap();
    assert_eq!(danger.severity, Severity::Danger);
    let fine = Org::unprepared(|_| {});
    let account = Salesforce::check(&fine.harness().context()).await.unwrap();
    assert_eq!(account.missing, Vec::<String>::new());
    assert!(
        account
            .notices
            .iter()
            .all(|n| n.severity != Severity::Danger),
        "{account:?}"
    );
}

#[tokio::test]
async fn the_survey_shows_statuses_room_users_and_what_runs_by_itself() {
    let org = Org::unprepared(|_| {});
    let survey = Salesforce::survey(&org.harness().context()).await.unwrap();
    let status = survey.slots.iter().find(|s| s.name == "status").unwrap();
    assert!(
        status
            .defaults
            .contains(&("closed".to_owned(), "Closed".to_owned())),
        "{status:?}"
    );
    assert!(
        survey
            .agents
            .iter()
            .any(|a| a.email.as_deref() == Some("dana@acme.example") && a.active)
    );
    // What a team of the source may be there.
    let queues = survey.slots.iter().find(|s| s.kind == Kind::Team).unwrap();
    assert_eq!(queues.name, "name");
    assert!(!queues.values.is_empty());
    let room = survey
        .allowances
        .iter()
        .find(|a| a.name == "data storage, MB")
        .unwrap();
    assert_eq!(room.limit, Some(10_240));
    assert_eq!(survey.support, None);
    // The simulated org has a flow that mails, which a person must switch off.
    assert!(
        survey
            .notices
            .iter()
            .any(|n| n.severity == Severity::Danger),
        "{:?}",
        survey.notices
    );
    let without = Org::unprepared(|config| config.audit_fields_setting = false);
    let survey = Salesforce::survey(&without.harness().context())
        .await
        .unwrap();
    let kinds = survey.support.unwrap().kinds;
    let cases = kinds.iter().find(|k| k.kind == Kind::Conversation).unwrap();
    assert!(!cases.keeps_created_at);
}

#[tokio::test]
async fn a_record_type_that_is_not_there_stops_before_anything_is_made() {
    let mut org = Org::unprepared(|_| {});
    org.set("case_record_type", "Nothing_Such");
    let before = org.sim.state_fingerprint();
    let ended = Salesforce::prepare(&org.harness().context()).await;
    assert!(ended.is_err(), "{ended:?}");
    assert_same(&before, &org.sim.state_fingerprint(), "nothing was made");
}

#[tokio::test]
async fn an_object_that_nobody_shows_is_somebodys_all_the_same() {
    let mut org = Org::new().await;
    let order = || vec![object_type("order", "Order")];
    org.write(Kind::ObjectType, order()).await;
    let snapshot = org.snapshot();
    for row in snapshot.with("ObjectPermissions", "SobjectType", "Order__c") {
        org.sim.remove(&row.id).unwrap();
    }
    org.run = "r2".to_owned();
    org.prepare().await;
    let outcomes = org.write(Kind::ObjectType, order()).await;
    let main = outcomes[0]
        .effects
        .iter()
        .find(|e| e.part == "main")
        .unwrap();
    assert_eq!(main.action, Action::Matched, "{outcomes:?}");
    let shown = |e: &&transload_sdk::ledger::Effect| e.target_kind == "ObjectPermissions";
    let shown = outcomes[0].effects.iter().find(shown).unwrap();
    assert_eq!(shown.action, Action::Created);
}
