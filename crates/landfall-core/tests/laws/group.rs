//! A group is in as a whole or not at all.

use landfall_core::id::{MutationId, Writer};
use landfall_core::mutation::Mutation;
use landfall_core::wire::Verdict::{self, Applied, Held, Rejected};

use crate::court::Court;

fn member(n: u64, document: &str, op: &str, path: &str, needs: &[u64]) -> Mutation {
    let id = |n| MutationId { writer: Writer(1), n };
    let needs: Vec<_> = needs.iter().map(|n| id(*n)).collect();
    let after = serde_json::to_string(&needs.first()).unwrap();
    let needs = serde_json::to_string(&needs).unwrap();
    serde_json::from_str(&format!(
        r#"{{"id":"{}","group":"g","needs":{needs},"after":{after},"collection":"notes","document":"{document}","op":"{op}",
            "fields":[{{"path":"{path}","op":"set","value":{n}}}],"base":0,
            "stamp":"000000000000-{n:04x}-{}","schema":1}}"#,
        id(n),
        Writer(1)
    ))
    .unwrap()
}

fn check(group: &[Mutation], expected: &[Verdict], documents: usize) {
    let mut court = Court::default();
    let verdicts = |court: &mut Court| -> Vec<_> {
        court.push(&[1], group).into_iter().map(|result| result.verdict).collect()
    };
    assert_eq!(verdicts(&mut court), expected);
    assert_eq!(verdicts(&mut court), expected, "the same verdicts for a resend");
    assert_eq!(court.documents.len(), documents);
}

#[test]
fn a_member_may_need_a_creation_of_its_own_group() {
    let group = [member(1, "d", "create", "/a", &[]), member(2, "d", "patch", "/b", &[1])];
    check(&group, &[Applied, Applied], 1);
    let group = [member(1, "d", "create", "/a", &[]), member(2, "e", "create", "/a", &[1])];
    check(&group, &[Applied, Applied], 2);
}

#[test]
fn one_refused_member_refuses_all() {
    let bad = member(3, "e", "patch", "/a", &[]);
    let group = [member(1, "d", "create", "/a", &[]), member(2, "d", "patch", "/b", &[1]), bad];
    check(&group, &[Rejected; 3], 0);
}

#[test]
fn one_held_member_holds_all() {
    let group = [member(1, "d", "create", "/a", &[]), member(2, "e", "create", "/a", &[77])];
    check(&group, &[Held; 2], 0);
}

/// A group deletes a document and is held; the creation that starts it over must not come in before the delete.
#[test]
fn what_follows_a_held_group_on_one_of_its_documents_is_held_too() {
    let mut court = Court::default();
    let alone = |one: Mutation| Mutation { group: None, ..one };
    court.push(&[1], &[alone(member(1, "d", "create", "/a", &[]))]);
    let deletes = Mutation { fields: vec![], ..member(2, "d", "delete", "/a", &[1]) };
    let group = [deletes, member(3, "e", "create", "/a", &[77])];
    let behind = [("d", "create"), ("e", "patch"), ("f", "create")];
    let behind = (4..).zip(behind).map(|(n, (document, op))| alone(member(n, document, op, "/b", &[])));
    let batch: Vec<_> = group.into_iter().chain(behind).collect();
    let results = court.push(&[1], &batch);
    let verdicts: Vec<_> = results.iter().map(|result| result.verdict).collect();
    assert_eq!(verdicts, [Held, Held, Held, Held, Applied]);
    let because: Vec<_> = results[1..4].iter().map(|result| result.because.map(|id| id.n)).collect();
    assert_eq!(because, [Some(77); 3]);
}

/// A database that was deleted and made anew has another name, and what a tab saves again there is its own all the same.
#[test]
fn a_writer_knows_of_its_own_writes_whoever_sends_them() {
    let mut court = Court::default();
    let later = Mutation { group: None, ..member(9, "d", "create", "/a", &[]) };
    court.push(&[1], std::slice::from_ref(&later));
    let after = Mutation { group: None, after: Some(later.id), ..member(3, "d", "patch", "/a", &[]) };
    let results = court.push(&[], &[after]);
    assert!(results[0].stamp > Some(later.stamp), "raised above what it had seen, whatever its clock said");
    assert_eq!((court.text().as_deref(), court.conflicts.len()), (Some(r#"{"a":3}"#), 0));
}
