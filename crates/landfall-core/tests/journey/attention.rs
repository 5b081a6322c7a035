//! What a person does about refused writes, and what the core does about those that break a batch.

use landfall_core::client::{Act, Input, Status};
use landfall_core::code::Code;
use landfall_core::id::MutationId;
use landfall_core::intent::Intent;
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Field};
use landfall_core::stored::{Network, Priority, Urgency};

use crate::server::{POISON, REFUSED};
use crate::world::{Fault, World, create, delete, key, patch};

pub(crate) const BAD: &str = r#"{"a":"unacceptable"}"#;

fn set(path: &str, value: &str) -> Field {
    Field { path: path.parse().unwrap(), change: Change::Set(Json::parse(value).unwrap()) }
}

fn mended() -> Act {
    Act::Edit(vec![set("/a", "2")])
}

/// Every entry: its document, where it stands and what it waits for.
fn outbox(world: &World, tab: usize) -> Vec<(String, Status, Option<MutationId>)> {
    let entries = world.tabs[tab].client.entries();
    entries.iter().map(|entry| (entry.document.to_string(), entry.status, entry.because)).collect()
}

pub(crate) fn attend(world: &mut World, tab: usize, id: MutationId, act: Act) -> Vec<MutationId> {
    let ids = world.attend(tab, id, act).expect("a decision that makes sense");
    world.disk(tab);
    ids
}

pub(crate) fn pause(world: &mut World, tab: usize, paused: bool) {
    let now = world.now;
    world.tabs[tab].input(Input::Pause(paused), now);
}

#[test]
fn a_refused_creation_that_is_edited_goes_through_with_all_that_built_on_it() {
    for built_late in [false, true] {
        let mut world = World::new(2);
        world.run(0);
        let bad = world.write(0, create("d", BAD));
        if !built_late {
            world.write(0, patch("d", r#"{"b":1}"#));
        }
        world.rest();
        if built_late {
            world.write(0, patch("d", r#"{"b":1}"#));
            world.rest();
        }
        assert_eq!(outbox(&world, 0)[0], ("d".to_owned(), Status::Waiting, Some(bad)));
        let again = attend(&mut world, 0, bad, mended());
        assert_ne!(again[0], bad);
        world.rest();
        for tab in [0, 1] {
            assert_eq!(world.text(tab, "d").as_deref(), Some(r#"{"a":2,"b":1}"#), "{built_late}");
        }
        assert_eq!(outbox(&world, 0), []);
        assert_eq!(world.server.conflicts, []);
    }
}

#[test]
fn what_was_edited_is_seen_above_what_was_built_on_the_draft() {
    let mut world = World::new(2);
    world.run(0);
    let bad = world.write(0, create("d", BAD));
    world.write(0, patch("d", r#"{"b":1}"#));
    world.rest();
    attend(&mut world, 0, bad, Act::Edit(vec![set("/a", "2"), set("/b", "3")]));
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":2,"b":3}"#));
    world.rest();
    assert_eq!(world.text(1, "d").as_deref(), Some(r#"{"a":2,"b":3}"#));
}

#[test]
fn a_refused_patch_goes_again_on_top_of_what_is_seen_now() {
    let mut world = World::new(2);
    world.write(0, create("d", r#"{"a":1,"b":{"c":1}}"#));
    world.rest();
    let bad = world.write(0, patch("d", r#"{"a":"unacceptable","b":{"d":1}}"#));
    world.rest();
    world.write(0, patch("d", r#"{"a":5}"#));
    world.rest();
    let again = attend(&mut world, 0, bad, mended());
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":2,"b":{"c":1,"d":1}}"#));
    world.rest();
    assert_eq!(world.text(1, "d").as_deref(), Some(r#"{"a":2,"b":{"c":1,"d":1}}"#));
    assert_eq!(world.tabs[0].replaced, [(bad, again[0])]);
}

#[test]
fn a_retry_of_what_is_still_wrong_needs_attention_again_and_nothing_is_lost() {
    let mut world = World::new(1);
    world.run(0);
    let bad = world.write(0, create("d", BAD));
    world.rest();
    for power_cut in [false, true] {
        let id = world.tabs[0].client.entries()[0].id;
        attend(&mut world, 0, id, Act::Retry);
        world.rest();
        world.reopen(0, power_cut);
        world.rest();
        assert_eq!(outbox(&world, 0), [("d".to_owned(), Status::NeedsAttention, None)]);
        assert_eq!(world.text(0, "d").as_deref(), Some(BAD));
    }
    assert_ne!(world.tabs[0].client.entries()[0].id, bad);
}

#[test]
fn a_discarded_draft_is_gone_with_what_was_built_on_it() {
    let mut world = World::new(1);
    world.run(0);
    let bad = world.write(0, create("d", BAD));
    world.write(0, patch("d", r#"{"b":1}"#));
    world.write(0, create("e", r#"{"a":1}"#));
    world.rest();
    world.write(0, patch("d", r#"{"c":1}"#));
    assert_eq!(attend(&mut world, 0, bad, Act::Discard), []);
    assert_eq!(world.text(0, "d"), None);
    world.rest();
    assert_eq!(outbox(&world, 0), []);
    world.reopen(0, true);
    world.rest();
    assert_eq!((world.text(0, "d"), outbox(&world, 0)), (None, vec![]));
    assert_eq!(world.server.visible().len(), 1);
}

#[test]
fn what_was_discarded_before_the_server_had_it_never_gets_there() {
    // The request that carries it is lost, or arrives after all when the person has given it up.
    for fault in [Fault::LoseRequest, Fault::LoseReply] {
        let mut world = World::new(1);
        world.write(0, create("d", r#"{"a":1}"#));
        world.rest();
        world.faults.push_back(fault);
        let unwanted = world.write(0, patch("d", r#"{"a":2}"#));
        world.run(0);
        attend(&mut world, 0, unwanted, Act::Discard);
        assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":1}"#), "gone from the view at once");
        world.rest();
        let too_late = fault == Fault::LoseReply;
        let (status, text) =
            if too_late { (Status::Accepted, r#"{"a":2}"#) } else { (Status::Discarded, r#"{"a":1}"#) };
        let end = world.tabs[0].settled.iter().find(|settled| settled.id == unwanted).unwrap();
        assert_eq!(end.status, status, "and its user is told which");
        assert_eq!(world.text(0, "d").as_deref(), Some(text));
        assert_eq!(outbox(&world, 0), []);
        let disk = world.tabs[0].disk.borrow();
        let mut marks = disk.texts(landfall_core::stored::Store::Meta).filter(|text| text.is_empty());
        assert_eq!(marks.next(), None, "no mark is left");
    }
}

#[test]
fn what_was_never_sent_is_discarded_without_a_trace() {
    let mut world = World::new(2);
    world.write(0, create("d", r#"{"a":1}"#));
    world.rest();
    pause(&mut world, 0, true);
    let unwanted = world.write(0, patch("d", r#"{"a":2}"#));
    attend(&mut world, 0, unwanted, Act::Discard);
    assert_eq!(outbox(&world, 0), []);
    world.reopen(0, true);
    world.rest();
    assert_eq!(world.text(1, "d").as_deref(), Some(r#"{"a":1}"#));
}

#[test]
fn another_tab_that_drains_does_not_send_what_was_discarded_here() {
    let mut world = World::new(1);
    world.write(0, create("d", r#"{"a":1}"#));
    world.rest();
    let other = world.add_tab(0);
    world.rest();
    pause(&mut world, 0, true);
    let unwanted = world.write(other, patch("d", r#"{"a":2}"#));
    // The draining tab has heard of the write, and not of what became of it.
    world.disk(0);
    attend(&mut world, other, unwanted, Act::Discard);
    world.tabs[0].hinted = false;
    pause(&mut world, 0, false);
    world.rest();
    assert_eq!(world.server.visible()[&key("d")], r#"{"a":1}"#);
}

#[test]
fn two_tabs_that_decide_about_one_item_decide_once() {
    let mut world = World::new(1);
    world.run(0);
    let bad = world.write(0, create("d", BAD));
    world.rest();
    let other = world.add_tab(0);
    world.rest();
    let now = world.now;
    world.tabs[0].attend(bad, mended(), now).unwrap();
    world.tabs[other].attend(bad, Act::Edit(vec![set("/a", "3")]), now).unwrap();
    world.disk(0);
    world.disk(other);
    world.rest();
    assert_eq!(world.tabs[other].missed, 1);
    assert_eq!(world.server.visible()[&key("d")], r#"{"a":2}"#);
    assert_eq!(world.text(other, "d").as_deref(), Some(r#"{"a":2}"#));
}

#[test]
fn what_cannot_be_decided_is_said_and_changes_nothing() {
    let mut world = World::new(1);
    world.write(0, create("d", r#"{"a":1}"#));
    world.rest();
    let pending = world.write(0, patch("d", r#"{"a":2}"#));
    let now = world.now;
    let code = |world: &mut World, id, act| world.tabs[0].attend(id, act, now).unwrap_err().code;
    assert_eq!(code(&mut world, pending, mended()), Code::InvalidOperation);
    let nobody = MutationId { n: 99, ..pending };
    assert_eq!(code(&mut world, nobody, Act::Discard), Code::NotFound);
    world.rest();
    assert_eq!(code(&mut world, pending, Act::Discard), Code::NotFound, "the server has it");
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":2}"#));
}

fn child(document: &str, of: &str) -> Intent {
    create(document, &format!(r#"{{"parent":"{of}"}}"#))
}

#[test]
fn children_of_a_refused_creation_wait_for_it_and_nobody_else_does() {
    for edit in [true, false] {
        let mut world = World::new(2);
        world.run(0);
        let bad = world.write(0, create("site", BAD));
        world.write(0, child("v1", "site"));
        world.rest();
        world.write(0, child("v2", "site"));
        world.write(0, patch("v2", r#"{"n":1}"#));
        world.write(0, create("free", r#"{"a":1}"#));
        world.rest();
        let waiting = |document: &str| (document.to_owned(), Status::Waiting, Some(bad));
        assert_eq!(outbox(&world, 0)[..3], [waiting("v1"), waiting("v2"), waiting("v2")]);
        assert_eq!(world.text(1, "free").as_deref(), Some(r#"{"a":1}"#));
        assert_eq!(world.text(1, "v1"), None);
        attend(&mut world, 0, bad, if edit { mended() } else { Act::Discard });
        world.rest();
        assert_eq!(outbox(&world, 0), []);
        assert_eq!(world.text(1, "v1").as_deref(), Some(r#"{"parent":"site"}"#));
        assert_eq!(world.text(1, "v2").as_deref(), Some(r#"{"n":1,"parent":"site"}"#));
        assert_eq!(world.text(1, "site").is_some(), edit);
    }
}

fn group(world: &mut World, intents: &[Intent]) -> Vec<MutationId> {
    let intents: Vec<_> = intents.iter().map(|intent| (intent.clone(), Urgency::default())).collect();
    let now = world.now;
    let ids = world.tabs[0].write_with(&intents, true, now).expect("a group");
    world.disk(0);
    ids
}

#[test]
fn a_transaction_is_refused_retried_and_discarded_as_a_whole() {
    for act in [mended(), Act::Discard] {
        let mut world = World::new(2);
        world.write(0, create("old", r#"{"a":1}"#));
        world.rest();
        let ids = group(&mut world, &[patch("old", r#"{"a":2}"#), create("d", BAD), create("e", "{}")]);
        world.rest();
        let entries = world.tabs[0].client.entries();
        let refused: Vec<_> =
            entries.iter().map(|entry| (entry.id, entry.code.unwrap(), entry.because)).collect();
        assert_eq!(
            refused,
            [
                (ids[0], "group_refused", Some(ids[1])),
                (ids[1], "validation_failed", None),
                (ids[2], "group_refused", Some(ids[1]))
            ]
        );
        assert_eq!(world.text(1, "old").as_deref(), Some(r#"{"a":1}"#));
        let wanted = act != Act::Discard;
        let again = attend(&mut world, 0, ids[1], act);
        assert_eq!(again.len(), if wanted { 3 } else { 0 });
        world.rest();
        assert_eq!(outbox(&world, 0), []);
        let old = if wanted { r#"{"a":2}"# } else { r#"{"a":1}"# };
        for tab in [0, 1] {
            assert_eq!(world.text(tab, "old").as_deref(), Some(old));
            assert_eq!(world.text(tab, "d").is_some(), wanted);
            assert_eq!(world.text(tab, "e").is_some(), wanted);
        }
    }
}

#[test]
fn a_transaction_is_never_cut_by_a_batch() {
    let mut world = World::new(1);
    world.run(0);
    for n in 0..60 {
        world.write(0, create(&format!("a{n}"), "{}"));
    }
    let intents: Vec<_> = (0..60).map(|n| create(&format!("b{n}"), "{}")).collect();
    group(&mut world, &intents);
    world.rest();
    let sizes: Vec<_> = world.tabs[0].pushes.iter().map(|body| body.matches("\"id\":").count()).collect();
    assert_eq!(sizes, [1, 59, 60]);
    let too_many: Vec<_> = (0..101).map(|n| (create(&format!("c{n}"), "{}"), Urgency::default())).collect();
    let now = world.now;
    assert!(world.tabs[0].write_with(&too_many, true, now).is_none());
    assert_eq!(world.text(0, "c0"), None, "nothing of it was written");
}

#[test]
fn what_is_urgent_goes_first_with_what_it_builds_on() {
    let mut world = World::new(1);
    world.run(0);
    pause(&mut world, 0, true);
    let now = world.now;
    let urgent = |priority| Urgency { priority, ..Urgency::default() };
    let mut write = |document: &str, priority| {
        let data = format!(r#"{{"a":"{document}"}}"#);
        world.tabs[0].write_with(&[(create(document, &data), urgent(priority))], false, now).unwrap();
    };
    write("low", Priority::Low);
    write("normal", Priority::Normal);
    write("site", Priority::Low);
    let visit = child("visit", "site");
    world.tabs[0].write_with(&[(visit, urgent(Priority::High))], false, now).unwrap();
    world.disk(0);
    pause(&mut world, 0, false);
    world.rest();
    let body = &world.tabs[0].pushes[0];
    let at = |document: &str| body.find(&format!(r#""document":"{document}""#)).expect("it was sent");
    assert!(at("site") < at("visit") && at("visit") < at("normal") && at("normal") < at("low"), "{body}");
}

#[test]
fn what_is_for_free_networks_waits_for_one_and_says_so() {
    let mut world = World::new(1);
    world.run(0);
    let now = world.now;
    world.tabs[0].input(Input::Metered(true), now);
    let patient = Urgency { network: Network::Unmetered, ..Urgency::default() };
    world.tabs[0].write_with(&[(create("photo", "{}"), patient)], false, now).unwrap();
    world.write(0, patch("photo", r#"{"a":1}"#));
    world.write(0, create("note", "{}"));
    world.rest();
    let waiting = |code| ("photo".to_owned(), Status::Waiting, code);
    let entries = world.tabs[0].client.entries();
    let seen: Vec<_> = entries.iter().map(|e| (e.document.to_string(), e.status, e.code)).collect();
    assert_eq!(seen, [waiting(Some("unmetered")), waiting(Some("unmetered"))]);
    let now = world.now;
    world.tabs[0].input(Input::Metered(false), now);
    world.rest();
    assert_eq!(outbox(&world, 0), []);
}

#[test]
fn a_write_that_breaks_every_batch_is_found_and_the_others_go_on() {
    let mut world = World::new(1);
    world.run(0);
    for n in 0..100 {
        let data = if n == 50 { format!(r#"{{"a":"{POISON}"}}"#) } else { r#"{"a":1}"#.to_owned() };
        world.write(0, create(&format!("d{n}"), &data));
    }
    while world.server.applied.len() < 99 {
        world.run(0);
        world.sleep();
    }
    for _ in 0..10 {
        world.run(0);
        world.sleep();
    }
    let entries = world.tabs[0].client.entries();
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].status, entries[0].code), (Status::NeedsAttention, Some("suspect")));
    let state = world.tabs[0].client.state();
    assert_eq!((state.pending, state.failed), (0, 1));
    // Pulls go on, and within the hour it is tried again by itself.
    world.server.poisonable = false;
    let start = world.now;
    while !world.tabs[0].client.entries().is_empty() {
        world.run(0);
        world.sleep();
    }
    assert!(world.now.since(start).0 <= 3_700_000, "{}", world.now.since(start).0);
}

#[test]
fn in_an_outage_nothing_is_set_aside() {
    let mut world = World::new(1);
    world.run(0);
    for n in 0..20 {
        world.write(0, create(&format!("d{n}"), "{}"));
    }
    world.server.down = true;
    for _ in 0..60 {
        world.run(0);
        world.sleep();
    }
    assert_eq!(world.tabs[0].client.state().failed, 0);
    world.server.down = false;
    world.rest();
    assert_eq!(world.server.applied.len(), 20);
}

#[test]
fn a_decision_survives_a_crash_after_every_step() {
    type Story = fn(&mut World);
    let stories: [Story; 3] = [
        |world| {
            let bad = world.write(0, create("site", BAD));
            world.write(0, child("v1", "site"));
            world.rest();
            world.write(0, patch("site", r#"{"b":1}"#));
            if world.tabs[0].client.subjects(bad) == [key("site")] {
                attend(world, 0, bad, mended());
            }
        },
        |world| {
            world.write(0, create("site", r#"{"a":1}"#));
            world.rest();
            let unwanted = world.write(0, patch("site", r#"{"a":2}"#));
            world.request(0);
            // Too late where the answer is here already.
            let _ = world.attend(0, unwanted, Act::Discard);
            world.disk(0);
        },
        |world| {
            let bad = world.write(0, create("site", BAD));
            world.write(0, patch("site", r#"{"b":1}"#));
            world.rest();
            let _ = world.attend(0, bad, Act::Discard);
            world.disk(0);
            world.write(0, create("free", "{}"));
        },
    ];
    for (number, story) in stories.iter().enumerate() {
        for power_cut in [false, true] {
            let mut step = 1;
            loop {
                let mut world = World::new(2);
                world.run(0);
                world.crash = Some((world.steps + step, power_cut));
                let last = world.steps + step;
                story(&mut world);
                world.rest();
                for document in ["site", "v1", "free"] {
                    let on_server = world.server.visible().get(&key(document)).cloned();
                    let case = format!("story {number}, step {step}, power cut {power_cut}, {document}");
                    let needs_attention =
                        world.tabs[0].client.entries().iter().any(|e| e.status == Status::NeedsAttention);
                    if !needs_attention {
                        assert_eq!(world.text(0, document), on_server, "{case}");
                    }
                    assert_eq!(world.text(1, document), on_server, "{case}");
                }
                let mut applied = world.server.applied.clone();
                applied.sort_unstable();
                applied.dedup();
                assert_eq!(applied.len(), world.server.applied.len(), "nothing twice");
                if world.steps < last {
                    break;
                }
                step += 1;
            }
        }
    }
}

#[test]
fn everything_that_the_server_does_not_have_can_be_exported() {
    let mut world = World::new(1);
    world.run(0);
    let bad = world.write(0, create("d", BAD));
    world.rest();
    let pending = world.write(0, create("e", r#"{"a":1}"#));
    let export = serde_json::to_value(world.tabs[0].client.export().items).unwrap();
    let ids: Vec<_> = export.as_array().unwrap().iter().map(|item| item["entry"]["id"].clone()).collect();
    assert_eq!(ids, [pending.to_string(), bad.to_string()]);
    assert_eq!(export[1]["entry"]["fields"][0]["value"], REFUSED);
    assert_eq!(export[1]["item"]["code"], "validation_failed");
}

#[test]
fn a_deleted_draft_needs_no_attention() {
    let mut world = World::new(1);
    world.run(0);
    world.write(0, create("d", BAD));
    world.rest();
    world.write(0, delete("d"));
    world.rest();
    // The refused creation is still there to be decided about, and nothing is shown of it.
    assert_eq!(world.text(0, "d"), None);
}
