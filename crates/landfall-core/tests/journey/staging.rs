//! Pulls of many pages: what is stored is never fetched again, and what belongs together is seen together.

use landfall_core::client::{Input, Phase};
use landfall_core::drain::Nudge;
use landfall_core::stored::{Key, Store, base_key};

use crate::server::Server;
use crate::world::{Fault, World, create, delete, key, patch};

/// Documents of one commit, more than one page and more than one record of them hold.
const COMMIT: usize = 450;
/// Changes in one page.
const PAGE: usize = 300;

/// A commit of somebody who is not part of the world.
fn stock(server: &mut Server, writer: u128, changes: impl Iterator<Item = (String, &'static str)>) {
    let mutations: Vec<String> = (1..).zip(changes).map(|(n, (document, op))| {
        let fields = if op == "delete" { "" } else { r#"{"path":"/a","op":"set","value":1}"# };
        let base = u32::from(op != "create");
        format!(
            r#"{{"id":"{writer:032x}:{n}","collection":"notes","document":"{document}","op":"{op}","fields":[{fields}],"base":{base},"after":null,"stamp":"018bcfe56800-0000-{writer:032x}","schema":1}}"#
        )
    }).collect();
    let body = format!(
        r#"{{"protocol":1,"client":"stock-{writer}","user":"u_17","sentAt":0,"mutations":[{}]}}"#,
        mutations.join(",")
    );
    server.push(&body, landfall_core::time::WallTime(1_700_000_000_000)).expect("a server that works");
}

fn named(letter: char) -> impl Iterator<Item = String> {
    (0..COMMIT).map(move |n| format!("{letter}{n:04}"))
}

/// A device whose first sync takes several pages.
fn newcomer() -> World {
    let mut world = World::new(1);
    world.server.limit = PAGE;
    stock(&mut world.server, 901, named('a').map(|name| (name, "create")));
    world
}

/// A device that has all of that, and is behind by a commit of several pages.
fn straggler() -> World {
    let mut world = newcomer();
    world.rest();
    // A start is strict, so what came before it outlives a power cut.
    world.reopen(0, false);
    world.rest();
    let old = named('a').take(100).zip(["patch", "delete"].into_iter().cycle());
    stock(&mut world.server, 902, named('b').map(|name| (name, "create")).chain(old));
    world.steps = 0;
    world.pages = 0;
    world.tabs[0].views.clear();
    world
}

fn sync(world: &mut World) {
    world.tabs[0].input(Input::Nudge(Nudge::Asked), world.now);
    world.rest();
}

/// Syncs, then again with a crash after each step: what is stored in the end is the same, and where the
/// system lives on nothing that was stored is fetched again.
fn check(begin: fn() -> World, looks: fn(&World)) {
    let mut whole = begin();
    sync(&mut whole);
    looks(&whole);
    let base = whole.tabs[0].disk.borrow().records(Store::Base);
    for step in 1..whole.steps {
        for power_cut in [false, true] {
            let mut world = begin();
            world.crash = Some((step, power_cut));
            sync(&mut world);
            looks(&world);
            assert_eq!(world.tabs[0].disk.borrow().records(Store::Base), base, "crash after step {step}");
            let again = world.pages.saturating_sub(whole.pages);
            // A start asks once whether there is more, and the page under way is asked for again.
            assert!(power_cut || again <= 1, "{again} pages more after step {step}");
        }
    }
}

#[test]
fn a_first_sync_goes_on_where_it_was_after_a_crash_after_any_step() {
    check(newcomer, |_| {});
}

#[test]
fn a_commit_of_many_pages_is_seen_whole_or_not_at_all_whatever_crashes() {
    check(straggler, |world| {
        for view in &world.tabs[0].views {
            let seen = named('b').filter(|name| view.contains_key(&key(name))).count();
            let gone = named('a').take(100).filter(|name| !view.contains_key(&key(name))).count();
            assert!((seen, gone) == (0, 0) || (seen, gone) == (COMMIT, 50), "{seen} new, {gone} gone");
        }
    });
}

#[test]
fn a_page_asked_for_before_another_tab_staged_one_is_thrown_away() {
    let mut world = straggler();
    let other = world.add_tab(0);
    world.lead(other, true);
    for tab in [0, other] {
        world.tabs[tab].input(Input::Nudge(Nudge::Asked), world.now);
        world.request(tab);
    }
    for tab in [0, other] {
        world.network_step(tab);
        world.disk(tab);
    }
    let staged = world.tabs[0].disk.borrow().count(Store::Staged);
    assert_eq!(staged, PAGE.div_ceil(200), "one page, once");
    world.watched = true;
    world.rest();
}

#[test]
fn a_staged_record_that_cannot_be_read_is_pulled_again_with_everything_else() {
    for hidden in [true, false] {
        let mut world = straggler();
        world.tabs[0].input(Input::Nudge(Nudge::Asked), world.now);
        while world.tabs[0].disk.borrow().count(Store::Staged) < if hidden { 1 } else { 3 } {
            assert!(world.disk_step(0) || world.network_step(0), "nothing was staged");
        }
        let last = world.tabs[0].disk.borrow().records(Store::Staged).into_keys().next_back();
        world.tabs[0].disk.borrow_mut().damage_one(Store::Staged, last.unwrap_or(Key::Counted(0)));
        world.reopen(0, false);
        world.rest();
    }
}

#[test]
fn what_another_tab_has_unpacked_is_not_unpacked_once_more_over_newer_documents() {
    let mut world = straggler();
    let other = world.add_tab(0);
    world.tabs[0].input(Input::Nudge(Nudge::Asked), world.now);
    while world.tabs[0].disk.borrow().count(Store::Staged) < 4 {
        assert!(world.disk_step(0) || world.network_step(0), "two pages were not staged");
    }
    world.lead(other, true);
    while world.tabs[other].client.state().phase != Phase::Pulling {
        assert!(world.disk_step(other), "the other tab does not unpack");
    }
    world.run(0);
    stock(&mut world.server, 903, [("b0000".to_owned(), "patch")].into_iter());
    world.tabs[0].input(Input::Nudge(Nudge::Asked), world.now);
    world.run(0);
    world.disk(other);
    let base = world.tabs[0].disk.borrow().records(Store::Base);
    let row = &base[&base_key(&key("b0000"))];
    assert!(row.contains(r#""v":2"#), "{row}");
    world.watched = true;
    world.rest();
}

#[test]
fn a_first_sync_says_how_far_it_has_come_also_after_a_crash() {
    for crash in [None, Some((9, false))] {
        let mut world = newcomer();
        world.crash = crash;
        let mut told = vec![];
        while world.disk_step(0) || world.network_step(0) {
            let state = world.tabs[0].client.state();
            if state.phase == Phase::FirstSync {
                told.push((state.progress.done, state.progress.total));
            }
        }
        told.dedup();
        let (page, all) = (PAGE as u64, COMMIT as u64);
        assert_eq!(told, [(0, 0), (page, all)], "crash: {crash:?}");
        world.rest();
    }
}

#[test]
fn what_arrives_while_a_collection_is_read_part_by_part_is_part_of_it() {
    let mut world = newcomer();
    world.rest();
    stock(&mut world.server, 904, [("a0000x".to_owned(), "create")].into_iter());
    world.reopen(0, false);
    world.disk_step(0);
    world.disk_step(0);
    assert!(world.network_step(0), "a page was asked for");
    // The first part is read, and before that is known here, there is a page to be stored.
    assert!(world.disk_step(0) && world.network_step(0));
    world.rest();
}

#[test]
fn a_collection_that_is_forgotten_while_it_is_read_is_read_from_the_start() {
    let mut world = newcomer();
    world.rest();
    world.lead(0, false);
    world.reopen(0, false);
    world.disk_step(0);
    world.disk_step(0);
    // What is stored is looked at once more after the first part.
    world.tabs[0].input(Input::Refresh, world.now);
    world.disk(0);
    let seen: Vec<_> = world.tabs[0].views.iter().map(|view| view.len()).collect();
    assert!(!seen.is_empty() && seen.iter().all(|seen| *seen == COMMIT), "{seen:?}");
}

#[test]
fn writes_to_what_is_being_pulled_are_kept() {
    let mut world = straggler();
    world.faults.extend([Fault::None, Fault::LoseReply]);
    world.tabs[0].input(Input::Nudge(Nudge::Asked), world.now);
    world.request(0);
    world.network_step(0);
    world.disk(0);
    world.write(0, patch("a0001", r#"{"b":2}"#));
    world.write(0, delete("a0002"));
    world.write(0, create("c", r#"{"a":1}"#));
    world.rest();
    assert_eq!(world.text(0, "a0002"), None);
    assert_eq!(world.text(0, "c").as_deref(), Some(r#"{"a":1}"#));
}
