//! Which template covers which: they are equal except for places where the covering one has a
//! placeholder and the other a word.
//!
//! Masking saw a variable at such a place of another line, so the word is a variable too. The same
//! search finds the template of a line that no template was mined from: one with a user name seen
//! for the first time.

use std::collections::{BTreeSet, HashMap};

use crate::algorithms::text::mine::pieces::{Piece, PieceKind};

/// The most sets of places that are tried for templates of one length, fewest places first. Real
/// logs have a handful. Sets beyond the limit are not found; the order of the sets makes the result
/// deterministic, and the limit bounds the time.
const MAX_PLACE_SETS: usize = 256;

/// The number of places, then the places.
type PlaceSet = (usize, Box<[usize]>);

/// Templates indexed by the places of their placeholders.
#[derive(Debug, Default)]
pub(super) struct Covers {
    /// For each length of a template, the sets of places at which templates of this length have
    /// placeholders.
    places: HashMap<usize, Vec<Box<[usize]>>>,
    /// From the set of places (by length and number) and the hash of the rest to the template.
    templates: HashMap<(usize, usize, u64), usize>,
}

impl Covers {
    /// Indexes the templates that have a placeholder, by their position in `forms`.
    pub(super) fn new(forms: &[Vec<Piece>]) -> Self {
        // By the length of templates; within a length, in the order of the number of places.
        let mut sets: HashMap<usize, BTreeSet<PlaceSet>> = HashMap::new();
        for form in forms {
            let places = placeholders(form);
            if !places.is_empty() {
                sets.entry(form.len())
                    .or_default()
                    .insert((places.len(), places));
            }
        }
        let places: HashMap<usize, Vec<Box<[usize]>>> = sets
            .into_iter()
            .map(|(length, sets)| {
                let sets = sets.into_iter().take(MAX_PLACE_SETS);
                (length, sets.map(|(_, places)| places).collect())
            })
            .collect();
        let mut templates = HashMap::new();
        for (number, form) in forms.iter().enumerate() {
            let sets = places
                .get(&form.len())
                .map(Vec::as_slice)
                .unwrap_or_default();
            let own = placeholders(form);
            if let Some(set) = sets.iter().position(|places| *places == own) {
                let rest = rest_of(form, whole_of(form), &own);
                templates.entry((form.len(), set, rest)).or_insert(number);
            }
        }
        Self { places, templates }
    }

    /// The template with the fewest placeholders that covers `form` and is not `form` itself; on a
    /// tie, the one whose placeholders come first.
    pub(super) fn find(&self, form: &[Piece]) -> Option<usize> {
        let sets = self.places.get(&form.len())?;
        let whole = whole_of(form);
        let covering = |(set, places): (usize, &[usize])| {
            if !can_be_covered(form, places) {
                return None;
            }
            let rest = rest_of(form, whole, places);
            self.templates.get(&(form.len(), set, rest)).copied()
        };
        let sets = sets.iter().map(AsRef::as_ref);
        sets.enumerate().find_map(covering)
    }
}

fn placeholders(form: &[Piece]) -> Box<[usize]> {
    let is_placeholder = |&place: &usize| form[place].kind == PieceKind::Placeholder;
    (0..form.len()).filter(is_placeholder).collect()
}

/// Whether `form` may have variables at these places: at least one would be new, every piece that
/// would be lost can vary, and no more words would become variables than stay words.
fn can_be_covered(form: &[Piece], places: &[usize]) -> bool {
    let constants = form.iter().filter(|piece| piece.kind.is_constant()).count();
    let mut new = 0;
    for &place in places {
        match form[place].kind {
            PieceKind::Placeholder => {}
            kind if kind.can_vary() => new += 1,
            _ => return false,
        }
    }
    new > 0 && new * 2 <= constants
}

/// Hashes a piece together with its place.
pub(super) fn hash_at(place: usize, piece: Piece) -> u64 {
    // The finaliser of SplitMix64 (Steele et al., "Fast splittable pseudorandom number generators",
    // 2014).
    let mut mixed = piece
        .hash
        .wrapping_add((place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Hashes all pieces; the hash is a sum, so that single pieces can be subtracted from it.
pub(super) fn whole_of(form: &[Piece]) -> u64 {
    form.iter()
        .enumerate()
        .fold(form.len() as u64, |sum, (place, &piece)| {
            sum.wrapping_add(hash_at(place, piece))
        })
}

fn rest_of(form: &[Piece], whole: u64, places: &[usize]) -> u64 {
    places.iter().fold(whole, |rest, &place| {
        rest.wrapping_sub(hash_at(place, form[place]))
    })
}
