//! I2: what is sent under a name is the same every time, whoever of a device sends it and whatever broke in between.

use landfall_core::mutation::Mutation;

use crate::check::Invariant;
use crate::world::World;

/// A batch is sent. It may come to the server after everything of its device was deleted.
pub fn sent(world: &mut World, device: usize, mutations: &[Mutation]) {
    // What a history that is no more had taken in is made final once more.
    if world.set_back {
        return;
    }
    let home = (device, world.devices[device].disk.incarnation);
    for mutation in mutations {
        // Whoever has not heard of a verdict may have no bytes left.
        if world.server.knows(mutation.id) {
            continue;
        }
        // When it was first sent is said from the second time on.
        let bytes = Mutation { first_sent_at: None, ..mutation.clone() };
        let first = world.witness.sendings.entry((home, mutation.id)).or_insert_with(|| bytes.clone());
        if *first != bytes {
            let what = format!("{bytes:?} was sent as {first:?} before");
            return world.violate(Invariant::I2, what);
        }
    }
}
