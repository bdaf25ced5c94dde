//! The order of the start as a picture: a column for each step, an arrow for each `after` and `wants`.
//!
//! What is implied is not drawn. An arrow over several columns keeps a lane free in each of them, so that it crosses no
//! box. Positions are computed here; nothing is left to the browser.

use std::fmt::{self, Write};

use super::html::Escaped;
use crate::board::{PlanView, ServiceState};

/// Width of one letter of the names, in pixels: 13 px in a monospaced font.
const LETTER: f64 = 7.85;

/// Height of a box.
const BOX: f64 = 42.0;

/// Distance between the middles of two boxes of one column.
const ROW: f64 = 54.0;

/// Distance between the middles of two lanes of one column, or of a lane and a box.
const LANE: f64 = 36.0;

/// Room between two columns.
const GAP: f64 = 58.0;

/// Room around the picture.
const MARGIN: f64 = 8.0;

/// A unit and where it stands now.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub(super) unit: &'a PlanView,
    pub(super) state: ServiceState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edge {
    from: usize,
    to: usize,
    /// `after`, not `wants`.
    hard: bool,
}

/// One place in a column: a box, or the lane of an arrow.
#[derive(Debug, Clone)]
struct Slot {
    /// The box; none for a lane.
    node: Option<usize>,
    /// Places in the columns before and behind that this one is connected with.
    before: Vec<usize>,
    behind: Vec<usize>,
    middle: f64,
}

/// Where everything is.
#[derive(Debug)]
struct Layout {
    /// Columns of places, by their number in `slots`, from top to bottom.
    columns: Vec<Vec<usize>>,
    slots: Vec<Slot>,
    /// The places that an edge goes through, from box to box.
    routes: Vec<(Edge, Vec<usize>)>,
    /// Left side and width of each column.
    sides: Vec<(f64, f64)>,
    width: f64,
    height: f64,
}

/// The picture.
pub(super) fn draw(out: &mut String, nodes: &[Node<'_>]) -> fmt::Result {
    let layout = Layout::of(nodes);
    write!(
        out,
        "<svg class=\"graph\" role=\"img\" aria-labelledby=\"graph-title graph-desc\" viewBox=\"0 0 {0:.0} {1:.0}\" \
         width=\"{0:.0}\" height=\"{1:.0}\"><title id=\"graph-title\">Order of the start</title>\
         <desc id=\"graph-desc\">{2}</desc>\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path class=\"arrow\" d=\"M0 0.5 7.5 4 0 7.5z\"/></marker></defs>",
        layout.width,
        layout.height,
        Escaped(&describe(nodes)),
    )?;
    for (edge, route) in &layout.routes {
        let class = if edge.hard { "edge" } else { "edge wants" };
        write!(
            out,
            "<path class=\"{class}\" marker-end=\"url(#arrow)\" d=\"{}\"/>",
            layout.path(route)
        )?;
    }
    for (column, (left, width)) in layout.columns.iter().zip(&layout.sides) {
        for slot in column.iter().filter_map(|index| layout.slots.get(*index)) {
            if let Some(node) = slot.node.and_then(|node| nodes.get(node)) {
                draw_box(out, node, *left, slot.middle - BOX / 2.0, *width)?;
            }
        }
    }
    out.write_str("</svg>")
}

fn draw_box(out: &mut String, node: &Node<'_>, left: f64, top: f64, width: f64) -> fmt::Result {
    let state = node.state.name();
    write!(
        out,
        "<g class=\"node {state}\" transform=\"translate({left:.1} {top:.1})\"><rect width=\"{width:.1}\" height=\"{BOX}\" \
         rx=\"8\"/><circle cx=\"14\" cy=\"15\" r=\"4.5\"/><text class=\"name\" x=\"26\" y=\"19.5\">{}</text>\
         <text class=\"state\" x=\"26\" y=\"34\">{state}</text></g>",
        Escaped(&node.unit.name),
    )
}

/// The picture in words.
fn describe(nodes: &[Node<'_>]) -> String {
    let relation = |words: &str, names: &[String]| {
        if names.is_empty() {
            String::new()
        } else {
            format!(" {words} {}", names.join(", "))
        }
    };
    let sentences: Vec<String> = nodes
        .iter()
        .map(|Node { unit, state }| {
            let after = relation("comes after", &unit.after);
            format!(
                "{} ({}){after}{}",
                unit.name,
                state.name(),
                relation("wants", &unit.wants)
            )
        })
        .collect();
    sentences.join("; ")
}

impl Layout {
    fn of(nodes: &[Node<'_>]) -> Self {
        let edges = edges(nodes);
        let layers = layers(nodes.len(), &edges);
        let drawn = without_implied(nodes.len(), &edges);
        let mut layout = Self::places(&layers, &drawn);
        for _ in 0..12 {
            layout.sort(Direction::Right);
            layout.sort(Direction::Left);
        }
        layout.set_middles();
        layout.set_sides(nodes);
        layout
    }

    /// A place for each box, and lanes for the edges that pass columns by.
    fn places(layers: &[usize], edges: &[Edge]) -> Self {
        let mut slots: Vec<Slot> = Vec::new();
        let mut columns = vec![Vec::new(); layers.iter().max().map_or(0, |last| last + 1)];
        let mut add = |slots: &mut Vec<Slot>, layer: usize, node| {
            slots.push(Slot {
                node,
                before: Vec::new(),
                behind: Vec::new(),
                middle: 0.0,
            });
            if let Some(column) = columns.get_mut(layer) {
                column.push(slots.len() - 1);
            }
            slots.len() - 1
        };
        for (node, layer) in layers.iter().enumerate() {
            add(&mut slots, *layer, Some(node));
        }
        let mut routes = Vec::new();
        for edge in edges {
            let (Some(first), Some(last)) = (layers.get(edge.from), layers.get(edge.to)) else {
                continue;
            };
            let mut route = vec![edge.from];
            for layer in first + 1..*last {
                route.push(add(&mut slots, layer, None));
            }
            route.push(edge.to);
            for pair in route.windows(2) {
                if let [a, b] = pair {
                    if let Some(slot) = slots.get_mut(*a) {
                        slot.behind.push(*b);
                    }
                    if let Some(slot) = slots.get_mut(*b) {
                        slot.before.push(*a);
                    }
                }
            }
            routes.push((*edge, route));
        }
        let mut layout = Self {
            columns,
            slots,
            routes,
            sides: Vec::new(),
            width: 0.0,
            height: 0.0,
        };
        layout.number();
        layout
    }

    /// Sorts each column by the mean of what it is connected with on one side.
    fn sort(&mut self, direction: Direction) {
        let mut order: Vec<usize> = (0..self.columns.len()).collect();
        if direction == Direction::Left {
            order.reverse();
        }
        for column in order {
            let slots = &self.slots;
            if let Some(column) = self.columns.get_mut(column) {
                column.sort_by(|a, b| wish(slots, *a, direction).total_cmp(&wish(slots, *b, direction)));
            }
            self.number();
        }
    }

    /// While the order is sought, the middle of a place is its rank, counted from the middle of its column.
    fn number(&mut self) {
        for column in &self.columns {
            let half = as_f64(column.len()) / 2.0;
            for (rank, slot) in column.iter().enumerate() {
                if let Some(slot) = self.slots.get_mut(*slot) {
                    slot.middle = as_f64(rank) - half;
                }
            }
        }
    }

    /// Pulls every place towards what it is connected with, none nearer to its neighbour than their heights allow.
    fn set_middles(&mut self) {
        for slot in &mut self.slots {
            slot.middle *= ROW;
        }
        for round in 0..16 {
            // The last rounds take both sides into account.
            let direction = match round {
                12.. => Direction::Both,
                _ if round % 2 == 0 => Direction::Right,
                _ => Direction::Left,
            };
            for column in &self.columns {
                let wishes: Vec<f64> = column
                    .iter()
                    .map(|slot| wish(&self.slots, *slot, direction))
                    .collect();
                let distances: Vec<f64> = column
                    .windows(2)
                    .map(|pair| {
                        let boxes = pair
                            .iter()
                            .filter(|slot| self.slots.get(**slot).is_some_and(|slot| slot.node.is_some()))
                            .count();
                        if boxes == 2 { ROW } else { LANE }
                    })
                    .collect();
                for (slot, middle) in column.iter().zip(apart(&wishes, &distances)) {
                    if let Some(slot) = self.slots.get_mut(*slot) {
                        slot.middle = middle;
                    }
                }
            }
        }
        let top = self
            .slots
            .iter()
            .map(|slot| slot.middle)
            .fold(f64::INFINITY, f64::min);
        for slot in &mut self.slots {
            slot.middle += MARGIN + BOX / 2.0 - top;
            self.height = self.height.max(slot.middle + BOX / 2.0 + MARGIN);
        }
    }

    fn set_sides(&mut self, nodes: &[Node<'_>]) {
        let mut left = MARGIN;
        for column in &self.columns {
            let letters = column
                .iter()
                .filter_map(|slot| nodes.get(self.slots.get(*slot)?.node?))
                .map(|node| node.unit.name.chars().count())
                .max();
            let width = 26.0 + LETTER * as_f64(letters.unwrap_or(0).max(8)) + 12.0;
            self.sides.push((left, width));
            left += width + GAP;
        }
        self.width = (left - GAP + MARGIN).max(1.0);
    }

    /// A line through the places of a route, level within each column and curved between two.
    fn path(&self, route: &[usize]) -> String {
        let column = |slot: usize| self.columns.iter().position(|column| column.contains(&slot));
        let mut path = String::new();
        for pair in route.windows(2) {
            let [a, b] = pair else { continue };
            let (Some(from), Some(to)) = (self.slots.get(*a), self.slots.get(*b)) else {
                continue;
            };
            let side = |slot: usize| column(slot).and_then(|column| self.sides.get(column));
            let (Some((left, width)), Some((end, _))) = (side(*a), side(*b)) else {
                continue;
            };
            let (start, bend) = (left + width, GAP * 0.5);
            // Writing to a String does not fail.
            let _ = if path.is_empty() {
                write!(path, "M{start:.1} {:.1}", from.middle)
            } else {
                write!(path, "H{start:.1}")
            };
            let _ = write!(
                path,
                "C{:.1} {1:.1} {2:.1} {3:.1} {end:.1} {3:.1}",
                start + bend,
                from.middle,
                end - bend,
                to.middle
            );
        }
        path
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Right,
    Left,
    Both,
}

/// Where a place would like to be: in the middle of what it is connected with.
fn wish(slots: &[Slot], slot: usize, direction: Direction) -> f64 {
    let Some(this) = slots.get(slot) else { return 0.0 };
    let connected = match direction {
        Direction::Right => [this.before.as_slice(), &[]],
        Direction::Left => [this.behind.as_slice(), &[]],
        Direction::Both => [this.before.as_slice(), this.behind.as_slice()],
    };
    let middles: Vec<f64> = connected
        .concat()
        .iter()
        .filter_map(|other| slots.get(*other))
        .map(|other| other.middle)
        .collect();
    if middles.is_empty() {
        this.middle
    } else {
        middles.iter().sum::<f64>() / as_f64(middles.len())
    }
}

/// The positions nearest to the wishes that keep their order and these distances: neighbours that would come too near
/// share the mean of their wishes (pool adjacent violators).
fn apart(wishes: &[f64], distances: &[f64]) -> Vec<f64> {
    let mut offset = 0.0;
    let mut offsets = vec![0.0];
    for distance in distances {
        offset += distance;
        offsets.push(offset);
    }
    // Sum and number of the wishes of each pool, without the distances.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (wish, offset) in wishes.iter().zip(&offsets) {
        let mut pool = (wish - offset, 1);
        while let Some((sum, number)) = pools
            .last()
            .copied()
            .filter(|(sum, number)| sum / as_f64(*number) > pool.0 / as_f64(pool.1))
        {
            pools.pop();
            pool = (pool.0 + sum, pool.1 + number);
        }
        pools.push(pool);
    }
    pools
        .iter()
        .flat_map(|(sum, number)| std::iter::repeat_n(sum / as_f64(*number), *number))
        .zip(&offsets)
        .map(|(middle, offset)| middle + offset)
        .collect()
}

fn edges(nodes: &[Node<'_>]) -> Vec<Edge> {
    let find = |name: &String| nodes.iter().position(|node| node.unit.name == *name);
    nodes
        .iter()
        .enumerate()
        .flat_map(|(to, node)| {
            let hard = node.unit.after.iter().map(|name| (name, true));
            let soft = node.unit.wants.iter().map(|name| (name, false));
            hard.chain(soft)
                .filter_map(move |(name, hard)| {
                    let from = find(name)?;
                    (from != to).then_some(Edge { from, to, hard })
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The column of each node: behind everything that it waits for.
fn layers(nodes: usize, edges: &[Edge]) -> Vec<usize> {
    let mut layers = vec![0; nodes];
    // A longest path has fewer edges than there are nodes; services.toml has no circles.
    for _ in 0..nodes {
        for edge in edges {
            let least = layers.get(edge.from).map_or(0, |layer| layer + 1);
            if let Some(layer) = layers.get_mut(edge.to) {
                *layer = least.max(*layer).min(nodes);
            }
        }
    }
    layers
}

/// The edges that do not follow from others: `after` from several `after`, `wants` from anything.
fn without_implied(nodes: usize, edges: &[Edge]) -> Vec<Edge> {
    let counts = |edge: &Edge, for_hard: bool| edge.hard || !for_hard;
    let goes_on = |from: usize, to: usize, hard: bool| {
        let mut seen = vec![false; nodes];
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            for edge in edges.iter().filter(|edge| edge.from == at && counts(edge, hard)) {
                if edge.to == to {
                    return true;
                }
                if let Some(seen) = seen.get_mut(edge.to).filter(|seen| !**seen) {
                    *seen = true;
                    open.push(edge.to);
                }
            }
        }
        false
    };
    edges
        .iter()
        .filter(|edge| {
            !edges.iter().any(|other| {
                other.from == edge.from
                    && other.to != edge.to
                    && counts(other, edge.hard)
                    && goes_on(other.to, edge.to, edge.hard)
            })
        })
        .copied()
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "numbers of services")]
fn as_f64(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plan(units: &[(&str, &[&str])]) -> Vec<PlanView> {
        units
            .iter()
            .map(|(name, after)| PlanView {
                name: (*name).to_owned(),
                after: after.iter().map(ToString::to_string).collect(),
                ..PlanView::default()
            })
            .collect()
    }

    fn nodes(plan: &[PlanView]) -> Vec<Node<'_>> {
        plan.iter()
            .map(|unit| Node {
                unit,
                state: ServiceState::Ready,
            })
            .collect()
    }

    #[test]
    fn columns_follow_the_order_and_what_is_implied_is_not_drawn() {
        let plan = plan(&[
            ("ssh-agent", &[]),
            ("guacd", &[]),
            ("oned", &["ssh-agent"]),
            ("credentials", &["oned"]),
            ("fireedge", &["oned", "guacd", "credentials"]),
        ]);
        let nodes = nodes(&plan);
        let edges = edges(&nodes);
        assert_eq!(layers(nodes.len(), &edges), [0, 0, 1, 2, 3]);
        let drawn: Vec<(usize, usize)> = without_implied(nodes.len(), &edges)
            .iter()
            .map(|edge| (edge.from, edge.to))
            .collect();
        assert_eq!(drawn, [(0, 2), (2, 3), (1, 4), (3, 4)]);
    }

    #[test]
    fn what_must_come_before_is_drawn_even_where_a_wish_leads_there_too() {
        let mut plan = plan(&[("agent", &[]), ("add", &["agent"]), ("oned", &["agent"])]);
        plan[2].wants = vec!["add".to_owned()];
        let nodes = nodes(&plan);
        let drawn = without_implied(nodes.len(), &edges(&nodes));
        assert_eq!(drawn.len(), 3, "{drawn:?}");
        // A wish that is fulfilled anyway is not.
        plan[2].after = vec!["add".to_owned()];
        plan[2].wants = vec!["agent".to_owned()];
        let nodes = self::nodes(&plan);
        let drawn = without_implied(nodes.len(), &edges(&nodes));
        assert_eq!(drawn.len(), 2, "{drawn:?}");
    }

    #[test]
    fn places_keep_their_distances_and_stay_near_their_wishes() {
        assert_eq!(apart(&[0.0, 10.0, 100.0], &[20.0, 20.0]), [-5.0, 15.0, 100.0]);
    }

    proptest! {
        #[test]
        fn no_box_lies_on_another_or_under_an_arrow(
            after in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..16)
        ) {
            let plan: Vec<PlanView> = after
                .iter()
                .enumerate()
                .map(|(number, before)| PlanView {
                    name: format!("service-{number}"),
                    after: if number == 0 {
                        Vec::new()
                    } else {
                        before.iter().map(|index| format!("service-{}", index.index(number))).collect()
                    },
                    ..PlanView::default()
                })
                .collect();
            let nodes = nodes(&plan);
            let layout = Layout::of(&nodes);
            for column in &layout.columns {
                for pair in column.windows(2) {
                    let (above, below) = (&layout.slots[pair[0]], &layout.slots[pair[1]]);
                    let room = match (above.node, below.node) {
                        (Some(_), Some(_)) => BOX,
                        (None, None) => 1.0,
                        // The lane passes the box by.
                        _ => BOX / 2.0 + 2.0,
                    };
                    prop_assert!(below.middle - above.middle >= room, "{:?}", layout);
                }
            }
            for slot in &layout.slots {
                prop_assert!(slot.middle >= BOX / 2.0 && slot.middle + BOX / 2.0 <= layout.height);
            }
            for (edge, route) in &layout.routes {
                let column = |slot| layout.columns.iter().position(|column| column.contains(&slot)).unwrap();
                prop_assert_eq!(column(route[0]) + route.len() - 1, column(edge.to));
            }
        }
    }
}
