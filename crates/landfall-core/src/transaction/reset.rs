//! What is kept of mutations that the server has taken in, and what goes on where it has lost them.

use super::{Rows, Write, base};
use crate::id::Position;
use crate::planted::{self, Bug};
use crate::stored::{self, Checkpoint, Key, Store};
use crate::time::{Millis, WallTime};

/// Of which commit something is when nobody can say where it stands among those that the base is made of.
pub const ELSEWHERE: Position = Position(u64::MAX);
/// How long something is kept, by the server's clock.
pub const KEPT_MAX: Millis = Millis::seconds(30 * 24 * 60 * 60);
/// Most documents that are looked through for what is lost; of more, all are fetched anew.
pub(super) const ROWS_MAX: u32 = 4_000;
/// Whenever something is added, so many of what was kept are looked at, and those go that are too old or too much.
pub(super) const LOOKED_AT: u32 = 8;

/// What is kept of mutations that the server has taken in, should it lose them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The newest commit that they are in, or [`ELSEWHERE`].
    pub position: Position,
    /// The server's clock.
    pub at: WallTime,
    /// How many there are.
    pub count: usize,
    /// As they stand in the journal, and as they were sent.
    pub text: String,
    /// Most bytes of what is kept.
    pub bytes_max: u64,
}

/// Keeps what the server has just taken in, and lets go of what is too old or too much.
pub(super) fn keep(
    kept: &Kept,
    position: Position,
    checkpoint: &mut Checkpoint,
    oldest: &Rows,
) -> Vec<Write> {
    let Kept { at, count, text, bytes_max, .. } = kept;
    let mut writes = Vec::new();
    if *count > 0 {
        let key = format!("{}/{}/{}/{count}", stored::kept_from(position), checkpoint.kept, at.0);
        writes.push(Write::Put(Store::Meta, Key::Text(key), text.clone()));
        checkpoint.kept += text.len() as u64;
    }
    for (key, _) in oldest {
        let Key::Text(name) = key else { continue };
        let mut numbers = [0; 3];
        for (number, text) in numbers.iter_mut().zip(name.split('/').skip(2)) {
            *number = text.parse().unwrap_or(0);
        }
        let [before, since, count] = numbers;
        if before + bytes_max < checkpoint.kept || since + KEPT_MAX.0 < at.0 {
            if !planted::is(Bug::DroppedUncounted) {
                checkpoint.dropped += count;
            }
            writes.push(Write::Delete(Store::Meta, key.clone()));
        }
    }
    writes
}

/// Has everything fetched from the start. What is still part of the server's history stays to be seen until then.
pub(super) fn start_over(through: Position, base: Option<Rows>) -> Vec<Write> {
    let mut writes = vec![Write::Clear(Store::Staged)];
    match base.filter(|rows| rows.len() < ROWS_MAX as usize) {
        Some(rows) => {
            let lost = |text: &str| base::read(text).is_none_or(|row| row.position > through);
            let lost = rows.into_iter().filter(|(_, text)| lost(text) && !planted::is(Bug::LostStaysBase));
            writes.extend(lost.map(|(key, _)| Write::Delete(Store::Base, key)));
        }
        None => writes.push(Write::Clear(Store::Base)),
    }
    writes
}

/// What the server has lost goes again as it went before: the same names, places and bytes. What may be of any history
/// is kept on: it may be of the next one.
pub(super) fn put_back(kept: Rows) -> Vec<Write> {
    let mut writes = Vec::new();
    let elsewhere = stored::kept_from(ELSEWHERE);
    for (key, text) in kept {
        let Some((journal, sent)) = text.split_once('\n') else { continue };
        if !planted::is(Bug::KeptNotPutBack) {
            writes.push(Write::Add(Store::Journal, journal.to_owned()));
            writes.push(Write::Add(Store::Sent, sent.to_owned()));
        }
        if !matches!(&key, Key::Text(name) if name.starts_with(&elsewhere)) {
            writes.push(Write::Delete(Store::Meta, key));
        }
    }
    writes
}

/// What is in a backup need not be kept.
pub(super) fn backed_up(through: Position) -> Write {
    let [from, to] = [Position(0), through.next()].map(|position| Key::Text(stored::kept_from(position)));
    Write::DeleteRange(Store::Meta, from, to)
}
