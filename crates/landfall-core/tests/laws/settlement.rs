//! What a person puts back stands above all that the document has, and is a write like any other.

use landfall_core::authority::{Back, Stored};
use landfall_core::code::Code;
use landfall_core::id::{Position, Version};
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Field, Mutation, Op};
use landfall_core::wire::Verdict;
use proptest::prelude::*;

use crate::arbitrary::strangers;
use crate::court::Court;
use crate::merged;

const SETTLER: u128 = 1 << 100;

/// A server that has these, in this order.
fn court(all: &[Mutation]) -> Court {
    let mut court = Court::default();
    let (version, document) = (Version(all.len() as u64), merged(all));
    court.documents.insert(all[0].key(), Stored { version, position: Position(1), document, whole: None });
    court
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is put back is there afterwards, under a stamp above every other; nothing else is touched.
    #[test]
    fn what_is_put_back_stands(all in strangers(0, 1), removed: bool) {
        let mut court = court(&all);
        let hidden = court.document().is_deleted();
        let newest = court.document().newest();
        let path: landfall_core::path::Path = "/kept/back".parse().unwrap();
        let back = if removed {
            Back::Absence(path.clone())
        } else {
            Back::Value(path.clone(), Json::parse("7").unwrap())
        };
        let others = |court: &Court| court.document().walk(&"/a".parse().unwrap(), |_| {}).and_then(|n| n.value());
        let before = others(&court);
        match court.settle(back, SETTLER) {
            Err(refusal) => prop_assert!(hidden && refusal.code == Code::Gone),
            Ok(mutation) => {
                prop_assert!(!hidden && mutation.stamp > newest);
                let there = court.document().walk(&path, |_| {}).and_then(|node| node.value());
                prop_assert_eq!(there.map(|json| json.text().to_owned()), (!removed).then(|| "7".to_owned()));
                prop_assert_eq!(others(&court), before);
            }
        }
    }

    /// A deleted document comes back with all that the delete had hidden, and a delete can be put back on it.
    #[test]
    fn a_document_comes_back_whole_and_goes_again(all in strangers(0, 1)) {
        let mut court = court(&all);
        let all_of_it = court.document().hidden().or_else(|| court.document().value());
        court.settle(Back::Document, SETTLER).unwrap();
        prop_assert_eq!(court.document().value(), all_of_it);
        court.settle(Back::Deletion, SETTLER + 1).unwrap();
        prop_assert!(court.document().is_deleted());
    }

    /// Who knew of it writes over it; who did not conflicts with it, and the stamps decide.
    #[test]
    fn a_device_that_knew_wins_and_another_conflicts(mut all in strangers(0, 1), knew: bool, later: bool) {
        all.iter_mut().for_each(|mutation| {
            mutation.op = Op::Patch;
            mutation.fields = vec![Field {
                path: "/a".parse().unwrap(),
                change: Change::Set(Json::parse("1").unwrap()),
            }];
        });
        let mut next = all.pop().unwrap();
        let mut court = court(&all);
        let base = court.version();
        let put_back = court.settle(Back::Value("/a".parse().unwrap(), Json::parse("2").unwrap()), SETTLER);
        let ticks = put_back.unwrap().stamp.ticks;
        next.base = Version(if knew { base + 1 } else { base });
        next.stamp.ticks = if later { ticks + 1 } else { ticks - 1 };
        next.fields[0].change = Change::Set(Json::parse("3").unwrap());
        let results = court.push(&[next.id.writer.0], std::slice::from_ref(&next));
        let wins = knew || later;
        prop_assert_eq!(court.text().unwrap(), if wins { r#"{"a":3}"# } else { r#"{"a":2}"# });
        prop_assert_eq!(results[0].verdict, if knew { Verdict::Applied } else { Verdict::Conflict });
        prop_assert_eq!(court.conflicts.len(), usize::from(!knew));
    }
}
