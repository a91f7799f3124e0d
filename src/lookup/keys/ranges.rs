//! The stretch of keys that matters for a set of changes, cut where directories begin and end.
//!
//! Only directories that hold changes matter, and those in which the ways to changes part: a wildcard for any other would
//! evict more than one for the directory below it. So there are at most two for each change, however deep they are.

use crate::plan::Place;

/// How many changes of one directory lie between two cuts, at which several may read a big directory at the same time.
const CHANGES_BETWEEN_CUTS: usize = 64;

/// What a piece is to the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Part of a directory that holds changes, none of them in a directory below.
    Core,
    /// The same, before everything that starts like all its changes.
    Lead,
    /// Between such directories.
    Gap,
}

/// A piece of the stretch. What was read of it is cut off its front.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) kind: Kind,
    /// Whether something of it is not known yet.
    pub(super) is_open: bool,
    /// Whether reading it failed, so that it stays unknown.
    pub(super) is_given_up: bool,
    /// How many pages were read that began in it.
    pub(super) pages: usize,
    /// How many keys were read in it.
    pub(super) keys: usize,
}

/// A directory that wildcards may be made of.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The pieces it is made of: from this one to before that one.
    pub(super) pieces: (usize, usize),
    /// How many changes it holds.
    pub(super) changes: usize,
}

/// Everything that matters: all below the innermost directory that holds all changes.
#[derive(Debug, Default)]
pub(super) struct Terrain {
    /// In the order of keys, one touching the next.
    pub(super) pieces: Vec<Piece>,
    /// Each before those within it.
    pub(super) nodes: Vec<Node>,
}

impl Terrain {
    /// Cuts up what lies around the changes, which are sorted and all start with `within`.
    pub(super) fn new(within: &str, changed: &[&str]) -> Self {
        let mut terrain = Self::default();
        // The directories around the current place, each with its node and the kind of its own pieces.
        let mut around: Vec<(&str, usize, Kind)> = Vec::new();
        let mut from = Place::before(within);
        for Directory { prefix, kind, cuts } in directories(within, changed) {
            while let Some((outer, node, kind)) = around.pop_if(|(outer, ..)| !prefix.starts_with(*outer)) {
                from = terrain.leave(outer, node, kind, from);
            }
            let place = Place::before(prefix);
            if !around.is_empty() {
                terrain.push(from, place.clone(), Kind::Gap);
            }
            from = place;
            around.push((prefix, terrain.nodes.len(), kind));
            let pieces = (terrain.pieces.len(), terrain.pieces.len());
            terrain.nodes.push(Node { pieces, changes: below(changed, prefix).len() });
            for (cut, kind) in cuts {
                let place = Place::before(cut);
                terrain.push(from, place.clone(), kind);
                from = place;
            }
        }
        while let Some((outer, node, kind)) = around.pop() {
            from = terrain.leave(outer, node, kind, from);
        }
        terrain
    }

    /// Notes that a piece cannot be read.
    pub(super) fn give_up(&mut self, piece: usize) {
        if let Some(piece) = self.pieces.get_mut(piece) {
            piece.is_given_up = true;
        }
    }

    /// How many pieces of directories that hold changes are not wholly known.
    pub(super) fn open_core(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.kind != Kind::Gap && piece.is_open).count()
    }

    fn leave(&mut self, prefix: &str, node: usize, kind: Kind, from: Place) -> Place {
        let to = Place::behind_all(prefix);
        self.push(from, to.clone(), kind);
        if let Some(node) = self.nodes.get_mut(node) {
            node.pieces.1 = self.pieces.len();
        }
        to
    }

    fn push(&mut self, from: Place, to: Place, kind: Kind) {
        if from < to {
            self.pieces.push(Piece { from, to, kind, is_open: true, is_given_up: false, pages: 0, keys: 0 });
        }
    }

    /// Notes that all from the start of piece `first` to `to` is known, with these keys in it.
    pub(super) fn read(&mut self, first: usize, to: &Place, keys: &[String]) {
        let mut rest = keys;
        for piece in self.pieces.iter_mut().skip(first).take_while(|piece| piece.from < *to) {
            let (_, from_here) = rest.split_at(rest.partition_point(|key| piece.from.is_behind(key)));
            let (here, behind) = from_here.split_at(from_here.partition_point(|key| piece.to.is_behind(key)));
            rest = behind;
            if piece.is_open {
                piece.keys += here.len();
                piece.is_open = *to < piece.to;
                piece.from = to.clone().min(piece.to.clone());
            }
        }
    }
}

/// A directory that matters.
struct Directory<'a> {
    /// With its `/`.
    prefix: &'a str,
    /// The kind of what is in it, except directories that matter.
    kind: Kind,
    /// Where to cut it, each with the kind of the piece before.
    cuts: Vec<(&'a str, Kind)>,
}

/// The directories that matter, each before those within it.
fn directories<'a>(within: &str, changed: &[&'a str]) -> Vec<Directory<'a>> {
    let mut directories: Vec<_> = changed.iter().map(|key| directory(within, key)).collect();
    directories.dedup();
    let partings: Vec<_> = directories
        .iter()
        .zip(directories.iter().skip(1))
        .map(|(one, next)| directory(within, common_prefix(one, next)))
        .collect();
    directories.extend(partings);
    directories.sort_unstable();
    directories.dedup();
    let holds_another = |place: usize, directory: &str| {
        directories.get(place + 1).is_some_and(|next: &&str| next.starts_with(directory))
    };
    let cut = |(place, &directory): (usize, &&'a str)| {
        if holds_another(place, directory) {
            return Directory { prefix: directory, kind: Kind::Gap, cuts: Vec::new() };
        }
        let below = below(changed, directory);
        let mut cuts = Vec::new();
        if let (Some(first), Some(last)) = (below.first(), below.last())
            && first != last
            && common_prefix(first, last).len() > directory.len()
        {
            cuts.push((common_prefix(first, last), Kind::Lead));
        }
        cuts.extend(below.iter().step_by(CHANGES_BETWEEN_CUTS).skip(1).map(|key| (*key, Kind::Core)));
        Directory { prefix: directory, kind: Kind::Core, cuts }
    };
    directories.iter().enumerate().map(cut).collect()
}

/// The directory that holds a key, with its `/`; at least `within`.
fn directory<'a>(within: &str, key: &'a str) -> &'a str {
    let end = key.rfind('/').map_or(0, |slash| slash + 1).max(within.len());
    key.get(..end).unwrap_or(key)
}

fn common_prefix<'a>(one: &'a str, other: &str) -> &'a str {
    let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    one.get(..one.floor_char_boundary(same)).unwrap_or_default()
}

/// The changes that start with `prefix`.
fn below<'c, 'a>(changed: &'c [&'a str], prefix: &str) -> &'c [&'a str] {
    let from = changed.get(changed.partition_point(|key| *key < prefix)..).unwrap_or_default();
    from.get(..from.partition_point(|key| key.starts_with(prefix))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces, each by its places and its kind.
    fn pieces(within: &str, changed: &[&str]) -> Vec<(Place, Place, Kind)> {
        let terrain = Terrain::new(within, changed);
        terrain.pieces.into_iter().map(|it| (it.from, it.to, it.kind)).collect()
    }

    #[test]
    fn directories_are_cut_out_of_what_is_around_them() {
        let (a, c) = (Place::before("w/a/"), Place::before("w/c/"));
        let (behind_a, behind_c) = (Place::behind_all("w/a/"), Place::behind_all("w/c/"));
        assert_eq!(
            pieces("w/", &["w/a/1", "w/c/1"]),
            [
                (Place::before("w/"), a.clone(), Kind::Gap),
                (a, behind_a.clone(), Kind::Core),
                (behind_a, c.clone(), Kind::Gap),
                (c, behind_c.clone(), Kind::Core),
                (behind_c, Place::behind_all("w/"), Kind::Gap),
            ]
        );
        assert_eq!(
            pieces("", &["x/y/1"]),
            [(Place::before("x/y/"), Place::behind_all("x/y/"), Kind::Core)],
            "nothing beyond the directory that holds all changes"
        );
    }

    #[test]
    fn what_leads_to_the_changes_of_a_directory_is_a_piece_of_its_own() {
        let [start, core, end] = [Place::before("d/"), Place::before("d/é"), Place::behind_all("d/")];
        assert_eq!(pieces("", &["d/éa", "d/éb"]), [(start, core.clone(), Kind::Lead), (core, end, Kind::Core)]);
    }

    #[test]
    fn a_directory_with_many_changes_is_cut_between_them() {
        let keys: Vec<_> = (0..130).map(|n| format!("{n:03}")).collect();
        let changed: Vec<_> = keys.iter().map(String::as_str).collect();
        let froms: Vec<_> = pieces("", &changed).into_iter().map(|(from, ..)| from).collect();
        assert_eq!(froms, ["", "064", "128"].map(Place::before));
    }

    #[test]
    fn deep_nesting_makes_no_more_nodes_than_changes() {
        let keys: Vec<_> = (0..500).map(|n| format!("{}{n:03}/x", "a/".repeat(400))).collect();
        let changed: Vec<_> = keys.iter().map(String::as_str).collect();
        let terrain = Terrain::new("", &changed);
        assert_eq!(terrain.nodes.len(), 501);
        assert_eq!(terrain.nodes[0].changes, 500);
        assert_eq!(terrain.nodes[0].pieces, (0, terrain.pieces.len()));
        assert_eq!(terrain.nodes[1].pieces, (1, 2));
    }

    #[test]
    fn reading_cuts_off_the_front() {
        let mut terrain = Terrain::new("", &["a/1", "c/1"]);
        let keys = ["a.html", "a/1", "a/2", "b"].map(str::to_owned);
        terrain.read(0, &Place::behind("b"), &keys);
        let seen: Vec<_> = terrain.pieces.iter().map(|piece| (piece.is_open, piece.keys)).collect();
        assert_eq!(seen, [(false, 1), (false, 2), (true, 1), (true, 0), (true, 0)]);
        assert_eq!(terrain.pieces[2].from, Place::behind("b"));
    }
}
