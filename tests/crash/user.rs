//! What the user of a device writes next.

use landfall_core::id::DocumentId;
use landfall_core::intent::Intent;
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Field};
use landfall_tests::chance::Chance;

use crate::device::{Device, key};
use crate::history::Deed;

/// Documents that all devices of a tenant write to.
const SHARED: u64 = 4;

/// What is written, what that does to which documents, and whether it is one group.
pub(crate) type Choice = (Vec<Intent>, Vec<(DocumentId, Deed)>, bool);

/// Draws something that makes sense with what the device shows.
pub(crate) fn choose(device: &mut Device, chance: &mut Chance) -> Choice {
    let shared = id(&format!("shared-{}", chance.below(SHARED)));
    let value = chance.bits() >> 12;
    if device.sees(&shared).is_none() {
        return one(shared, Deed::Share);
    }
    let own = (device.begun > 0).then(|| own(device, chance.below(device.begun)));
    let own = own.filter(|own| device.sees(own).is_some());
    match (chance.below(16), own) {
        (0..3, _) => one(shared, Deed::Count(1 + chance.below(3) as i64)),
        (3..5, _) => one(shared, Deed::Tag(value)),
        (5..7, _) => one(shared, Deed::Say(value)),
        (7, _) => {
            let other = id(&format!("shared-{}", chance.below(SHARED)));
            let begun = begin(device);
            let mut deeds = vec![(shared.clone(), Deed::Count(1)), (begun, Deed::Create(value))];
            if other != shared && device.sees(&other).is_some() {
                deeds.push((other, Deed::Count(1)));
            }
            (deeds.iter().map(|(document, deed)| intent(document, deed)).collect(), deeds, true)
        }
        (8, _) => {
            let refused = begin(device).to_string().replace("own", "refused");
            one(id(&refused), Deed::Offend)
        }
        (9..13, Some(own)) => one(own, Deed::Set(value)),
        (13, Some(own)) => one(own, Deed::Delete),
        (_, _) => {
            let begun = begin(device);
            one(begun, Deed::Create(value))
        }
    }
}

fn id(name: &str) -> DocumentId {
    name.parse().expect("BUG: a name that is none")
}

fn own(device: &Device, n: u64) -> DocumentId {
    id(&format!("own-{}-{n}", device.number()))
}

fn begin(device: &mut Device) -> DocumentId {
    device.begun += 1;
    own(device, device.begun - 1)
}

fn one(document: DocumentId, deed: Deed) -> Choice {
    (vec![intent(&document, &deed)], vec![(document, deed)], false)
}

fn intent(document: &DocumentId, deed: &Deed) -> Intent {
    let key = key(document);
    let json = |text: String| Json::parse(&text).expect("BUG: what a user writes is JSON");
    let field = |name: &str, change| Field { path: name.parse().expect("BUG: a path"), change };
    let change =
        |name: &str, change| Intent::Patch(key.clone(), json("{}".to_owned()), vec![field(name, change)]);
    match deed {
        Deed::Create(value) => Intent::Create(key, json(format!(r#"{{"value":{value}}}"#))),
        Deed::Offend => Intent::Create(key, json(r#"{"value":"offends"}"#.to_owned())),
        Deed::Share => Intent::Create(key, json(r#"{"kind":"shared"}"#.to_owned())),
        Deed::Set(value) => Intent::Patch(key, json(format!(r#"{{"value":{value}}}"#)), vec![]),
        Deed::Say(value) => Intent::Patch(key, json(format!(r#"{{"last":{value}}}"#)), vec![]),
        Deed::Delete => Intent::Delete(key),
        Deed::Count(step) => change("/count", Change::Increment(*step)),
        Deed::Tag(value) => change("/tags", Change::Add(json(value.to_string()))),
    }
}
