//! The order in which units can start, out of what each comes after and wants.

use std::collections::{BTreeMap, BTreeSet};

use super::unit::{Kind, Unit};

/// The units in an order in which they can start, alphabetical where there is a choice; or every mistake.
pub(super) fn in_order(units: &BTreeMap<String, Unit>) -> Result<Vec<Unit>, Vec<String>> {
    let mistakes: Vec<String> = units
        .values()
        .flat_map(|unit| before(unit).map(move |(field, name)| (unit, field, name)))
        .filter_map(|(unit, field, name)| {
            let section = section(unit);
            match units.get(name).map(|named| &named.kind) {
                None => Some(format!(
                    "{section}.{}.{field}: there is no service {name:?}",
                    unit.name
                )),
                Some(Kind::Timer { .. }) => Some(format!(
                    "{section}.{}.{field}: {name:?} is a timer, and nothing can come after one",
                    unit.name
                )),
                Some(_) => None,
            }
        })
        .collect();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let mut ordered: Vec<Unit> = Vec::new();
    let mut left: BTreeMap<&str, &Unit> = units.iter().map(|(name, unit)| (name.as_str(), unit)).collect();
    while !left.is_empty() {
        let free = left
            .values()
            .find(|unit| !before(unit).any(|(_, name)| left.contains_key(name)));
        let Some(free) = free else {
            let names = circle(left);
            return Err(vec![format!(
                "services: {} come after one another in a circle",
                names.join(", ")
            )]);
        };
        let free: &Unit = free;
        ordered.push(free.clone());
        left.remove(&*free.name);
    }
    Ok(ordered)
}

/// The units of a circle, out of those that are left: without those that only come after it.
fn circle<'a>(mut left: BTreeMap<&'a str, &'a Unit>) -> Vec<&'a str> {
    loop {
        let needed: BTreeSet<&str> = left
            .values()
            .flat_map(|unit| before(unit).map(|(_, name)| name))
            .collect();
        let whole = left.len();
        left.retain(|name, _| needed.contains(name));
        if left.len() == whole {
            return left.into_keys().collect();
        }
    }
}

/// What a unit comes after, with the field that says so.
fn before(unit: &Unit) -> impl Iterator<Item = (&'static str, &str)> {
    let after = unit.after.iter().map(|name| ("after", name.as_str()));
    after.chain(unit.wants.iter().map(|name| ("wants", name.as_str())))
}

fn section(unit: &Unit) -> &'static str {
    match unit.kind {
        Kind::Service { .. } => "services",
        Kind::Task { .. } => "tasks",
        Kind::Timer { .. } => "timers",
    }
}
