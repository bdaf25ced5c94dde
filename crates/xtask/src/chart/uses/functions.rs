//! What the functions of templates do with the values that they are given: hand them on, take a part, ask, or render.
//!
//! A function that is not here renders all of its arguments.

use std::collections::BTreeMap;

use super::follow::{Follower, Thing, Things, texts};
use crate::chart::below;

impl Follower<'_> {
    /// Calls a function.
    pub(super) fn call(&mut self, name: &str, arguments: &[Things]) -> Things {
        let given = |index: usize| arguments.get(index).cloned().unwrap_or_default();
        match name {
            "include" => {
                for template in texts(&given(0)) {
                    self.include(&template, &given(1));
                }
                Things::new()
            }
            "default" | "coalesce" | "and" | "or" | "merge" | "mustMerge" | "mergeOverwrite"
            | "mustMergeOverwrite" => arguments.concat_things(),
            "ternary" => {
                self.ask(&given(2));
                arguments.iter().take(2).flatten().cloned().collect()
            }
            "required" => given(1),
            "deepCopy" | "mustDeepCopy" | "uniq" | "compact" | "reverse" | "sortAlpha" | "initial"
            | "rest" | "without" => given(0),
            "not" | "empty" | "len" | "kindOf" | "typeOf" => self.asked(&given(0)),
            "kindIs" | "typeIs" | "typeIsLike" => self.asked(&given(1)),
            "hasKey" => {
                let names = texts(&given(1));
                if !names.is_empty() {
                    let found = self.lookup(&given(0), &given(1));
                    self.ask(&found);
                }
                Things::new()
            }
            "get" => self.lookup(&given(0), &given(1)),
            "index" => arguments
                .iter()
                .skip(1)
                .fold(given(0), |things, name| self.lookup(&things, name)),
            "dig" => self.dig(arguments),
            "pluck" => {
                let found = arguments
                    .iter()
                    .skip(1)
                    .flat_map(|map| self.lookup(map, &given(0)))
                    .collect();
                Things::from([Thing::List(found)])
            }
            "pick" | "omit" => self.part(name, &given(0), &arguments[1.min(arguments.len())..]),
            "dict" => {
                let mut fields: BTreeMap<String, Things> = BTreeMap::new();
                for pair in arguments.chunks(2) {
                    for name in pair.first().map(texts).unwrap_or_default() {
                        fields.insert(name, pair.get(1).cloned().unwrap_or_default());
                    }
                }
                Things::from([Thing::Map(fields)])
            }
            "list" | "tuple" => Things::from([Thing::List(arguments.concat_things())]),
            "append" | "prepend" | "mustAppend" | "mustPrepend" => {
                let mut inner = self.elements(&given(0)).1;
                inner.extend(given(1));
                Things::from([Thing::List(inner)])
            }
            "concat" => {
                let inner = self.elements(&arguments.concat_things()).1;
                Things::from([Thing::List(inner)])
            }
            "first" | "last" => self.elements(&given(0)).1,
            "values" => {
                let inner = self.elements(&given(0)).1;
                Things::from([Thing::List(inner)])
            }
            "keys" => {
                self.ask(&given(0));
                let names = self.elements(&given(0)).0;
                Things::from([Thing::List(names)])
            }
            "printf" | "print" => self.print(name, arguments),
            _ => {
                for argument in arguments {
                    self.consume(argument);
                }
                Things::new()
            }
        }
    }

    fn asked(&mut self, things: &Things) -> Things {
        self.ask(things);
        Things::new()
    }

    /// `dig NAME … DEFAULT MAP`
    fn dig(&mut self, arguments: &[Things]) -> Things {
        let [names @ .., default, map] = arguments else {
            return Things::new();
        };
        let mut found = names
            .iter()
            .fold(map.clone(), |things, name| self.lookup(&things, name));
        found.extend(default.clone());
        found
    }

    /// A map with some of its names, or without them.
    fn part(&mut self, function: &str, things: &Things, names: &[Things]) -> Things {
        let names: Vec<String> = names.iter().flat_map(texts).collect();
        let stays = |name: &str| names.iter().any(|known| known == name) == (function == "pick");
        let mut found = Things::new();
        for thing in things {
            let fields: BTreeMap<String, Things> = match (thing, self.children_of(thing)) {
                (Thing::Map(fields), _) => fields.clone(),
                (_, Some(children)) => children,
                (other, None) => {
                    found.insert(other.clone());
                    continue;
                }
            };
            found.insert(Thing::Map(
                fields.into_iter().filter(|(name, _)| stays(name)).collect(),
            ));
        }
        found
    }

    /// What is declared below a value.
    fn children_of(&self, thing: &Thing) -> Option<BTreeMap<String, Things>> {
        let Thing::Value(path) = thing else {
            return None;
        };
        let children = self.shape.children(path)?;
        let one = |name: String| {
            let value = Things::from([Thing::Value(below(path, &name))]);
            (name, value)
        };
        Some(children.into_iter().map(one).collect())
    }

    /// A text of known texts stays known: names of templates are put together so.
    fn print(&mut self, function: &str, arguments: &[Things]) -> Things {
        let parts: Option<Vec<&str>> = arguments
            .iter()
            .map(|things| match things.first() {
                Some(Thing::Text(text)) if things.len() == 1 => Some(text.as_str()),
                _ => None,
            })
            .collect();
        match (function, parts.as_deref()) {
            ("print", Some(parts)) => Things::from([Thing::Text(parts.concat())]),
            ("printf", Some([format, parts @ ..]))
                if format.matches('%').count() == format.matches("%s").count() =>
            {
                let text = parts
                    .iter()
                    .fold((*format).to_owned(), |text, part| text.replacen("%s", part, 1));
                Things::from([Thing::Text(text)])
            }
            _ => {
                for argument in arguments {
                    self.consume(argument);
                }
                Things::new()
            }
        }
    }
}

/// All things of several arguments.
trait Concat {
    fn concat_things(&self) -> Things;
}

impl Concat for [Things] {
    fn concat_things(&self) -> Things {
        self.iter().flatten().cloned().collect()
    }
}
