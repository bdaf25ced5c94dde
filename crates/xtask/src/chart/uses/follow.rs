//! Follows values through templates: what every expression may stand for, and which values end in what is rendered.
//!
//! All branches are taken and a loop's body is gone through twice, so an expression stands for a set of things. An empty
//! set is something that is no value of the chart, or that is not known.

use std::collections::{BTreeMap, BTreeSet};

use super::shape::{Child, Shape};
use super::{Define, File, Finding, Names, Template, Used};
use crate::chart::template::{Kind, Node, Operand, Pipe, Setting};
use crate::chart::{below, dotted};

/// One thing that an expression may stand for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    /// What a template file begins with: `.Values`, `.Release` and so on.
    Root,
    /// A value, or a group of them.
    Value(Names),
    /// Something in a value that may hold anything.
    Inside(Names),
    Map(BTreeMap<String, Things>),
    List(Things),
    Text(String),
}

pub(super) type Things = BTreeSet<Thing>;

/// Where an expression stands.
#[derive(Debug, Clone, Default)]
struct Scope {
    dot: Things,
    dollar: Things,
    /// Innermost last.
    variables: Vec<(String, Things)>,
}

/// Goes through the templates of one chart.
#[derive(Debug)]
pub(super) struct Follower<'a> {
    pub(super) shape: &'a Shape,
    defines: &'a BTreeMap<&'a str, (&'a str, &'a Define)>,
    pub(super) used: Used,
    /// Names of templates that are included.
    pub(super) called: BTreeSet<String>,
    /// Templates that were gone through with what they were given.
    done: BTreeSet<(String, Things)>,
    file: String,
    line: usize,
    wrong: BTreeSet<Finding>,
    /// Values by names that are not known.
    unknown: BTreeSet<Finding>,
}

impl<'a> Follower<'a> {
    pub(super) fn new(shape: &'a Shape, defines: &'a BTreeMap<&'a str, (&'a str, &'a Define)>) -> Self {
        Self {
            shape,
            defines,
            used: Used::default(),
            called: BTreeSet::new(),
            done: BTreeSet::new(),
            file: String::new(),
            line: 0,
            wrong: BTreeSet::new(),
            unknown: BTreeSet::new(),
        }
    }

    /// Goes through what is rendered from a file.
    pub(super) fn file(&mut self, name: &str, file: &File) {
        name.clone_into(&mut self.file);
        for (line, path) in file.uses.iter().filter(|(_, path)| path != "nothing") {
            self.line = *line;
            let path = path.strip_suffix(".*").unwrap_or(path);
            let path: Names = path.split('.').map(str::to_owned).collect();
            let mut here = Things::from([Thing::Value(Names::new())]);
            for name in &path {
                here = self.field(&here, name);
            }
            self.consume(&here);
        }
        let root = Things::from([Thing::Root]);
        let mut scope = Scope {
            dot: root.clone(),
            dollar: root,
            variables: Vec::new(),
        };
        self.body(&file.body, &mut scope);
    }

    /// What was found, but for names that are not known in files that say what they use.
    pub(super) fn findings(&self, files: &[Template]) -> Vec<Finding> {
        let says = |finding: &&Finding| {
            files
                .iter()
                .any(|(name, file)| *name == finding.file && !file.uses.is_empty())
        };
        let unknown = self.unknown.iter().filter(|finding| !says(finding));
        self.wrong.iter().chain(unknown).cloned().collect()
    }

    fn body(&mut self, nodes: &[Node], scope: &mut Scope) {
        let depth = scope.variables.len();
        for node in nodes {
            match node {
                Node::Action(pipe) => {
                    let things = self.pipe(pipe, scope);
                    if pipe.variables.is_empty() {
                        self.consume(&things);
                    }
                }
                Node::Block {
                    kind,
                    pipe,
                    body,
                    otherwise,
                } => self.block(*kind, pipe, body, otherwise, scope),
            }
        }
        scope.variables.truncate(depth);
    }

    fn block(&mut self, kind: Kind, pipe: &Pipe, body: &[Node], otherwise: &[Node], scope: &mut Scope) {
        let depth = scope.variables.len();
        let dot = scope.dot.clone();
        if kind == Kind::Range {
            let things = self.commands(pipe, scope);
            self.ask(&things);
            let (names, elements) = self.elements(&things);
            for _ in 0..2 {
                match pipe.variables.as_slice() {
                    [] => {}
                    [one] => scope.variables.push((one.clone(), elements.clone())),
                    [name, one, ..] => {
                        scope.variables.push((name.clone(), names.clone()));
                        scope.variables.push((one.clone(), elements.clone()));
                    }
                }
                scope.dot.clone_from(&elements);
                self.body(body, scope);
                scope.variables.truncate(depth);
            }
        } else {
            let things = self.pipe(pipe, scope);
            self.ask(&things);
            if kind == Kind::With {
                scope.dot = things;
            }
            self.body(body, scope);
        }
        scope.dot = dot;
        self.body(otherwise, scope);
        scope.variables.truncate(depth);
    }

    /// The result of a pipeline, which its variable gets.
    fn pipe(&mut self, pipe: &Pipe, scope: &mut Scope) -> Things {
        let things = self.commands(pipe, scope);
        for name in &pipe.variables {
            match pipe.setting {
                Setting::New => scope.variables.push((name.clone(), things.clone())),
                // A branch that is not taken leaves what was there before.
                Setting::Existing => {
                    if let Some(variable) = scope.variable(name) {
                        variable.extend(things.clone());
                    }
                }
            }
        }
        things
    }

    fn commands(&mut self, pipe: &Pipe, scope: &mut Scope) -> Things {
        let mut last: Option<Things> = None;
        for command in &pipe.commands {
            self.line = pipe.line;
            last = Some(self.command(command, last, scope));
        }
        last.unwrap_or_default()
    }

    fn command(&mut self, operands: &[Operand], last: Option<Things>, scope: &mut Scope) -> Things {
        let Some((first, rest)) = operands.split_first() else {
            return Things::new();
        };
        let line = self.line;
        let mut arguments: Vec<Things> = rest.iter().map(|operand| self.operand(operand, scope)).collect();
        arguments.extend(last);
        self.line = line;
        match first {
            Operand::Function(name) if name == "set" => self.set(rest, &arguments, scope),
            Operand::Function(name) => self.call(name, &arguments),
            value => {
                let things = self.operand(value, scope);
                // A method: .Files.Get "name".
                for argument in &arguments {
                    self.consume(argument);
                }
                if arguments.is_empty() {
                    things
                } else {
                    Things::new()
                }
            }
        }
    }

    fn operand(&mut self, operand: &Operand, scope: &mut Scope) -> Things {
        let (things, fields) = match operand {
            Operand::Dot(fields) => (scope.dot.clone(), fields),
            Operand::Variable(name, fields) if name.is_empty() => (scope.dollar.clone(), fields),
            Operand::Variable(name, fields) => (scope.variable(name).cloned().unwrap_or_default(), fields),
            Operand::Inner(pipe, fields) => (self.commands(pipe, scope), fields),
            Operand::Function(name) => return self.call(name, &[]),
            Operand::Text(text) => return Things::from([Thing::Text(text.clone())]),
            Operand::Other => return Things::new(),
        };
        fields
            .iter()
            .fold(things, |things, name| self.field(&things, name))
    }

    /// `set MAP NAME VALUE` changes the map that a variable holds.
    fn set(&mut self, operands: &[Operand], arguments: &[Things], scope: &mut Scope) -> Things {
        let [map, names, value] = arguments else {
            return Things::new();
        };
        let mut changed = map.clone();
        for thing in map {
            if let Thing::Map(fields) = thing {
                let mut fields = fields.clone();
                for name in texts(names) {
                    fields.entry(name).or_default().extend(value.clone());
                }
                changed.insert(Thing::Map(fields));
            }
        }
        // The map may be rendered where this does not see it.
        self.consume(value);
        if let Some(Operand::Variable(name, fields)) = operands.first()
            && fields.is_empty()
            && let Some(variable) = scope.variable(name)
        {
            variable.extend(changed.clone());
        }
        changed
    }

    /// What is under a name in things; it is wrong when none of them has it.
    pub(super) fn field(&mut self, things: &Things, name: &str) -> Things {
        self.below(things, &[name.to_owned()])
    }

    /// What is under one of some names, all of them when none is known.
    pub(super) fn lookup(&mut self, things: &Things, names: &Things) -> Things {
        let names = texts(names);
        if names.is_empty() {
            return self.elements(things).1;
        }
        self.below(things, &names)
    }

    fn below(&mut self, things: &Things, names: &[String]) -> Things {
        let mut found = Things::new();
        let mut missing = Vec::new();
        for (thing, name) in things
            .iter()
            .flat_map(|thing| names.iter().map(move |name| (thing, name)))
        {
            match thing {
                Thing::Root if name == "Values" => {
                    found.insert(Thing::Value(Names::new()));
                }
                Thing::Value(path) => match self.shape.child(path, name) {
                    Child::Declared(path) => {
                        found.insert(Thing::Value(path));
                    }
                    Child::Free => {
                        found.insert(Thing::Inside(path.clone()));
                    }
                    Child::Missing => missing.push(below(path, name)),
                },
                Thing::Inside(path) => {
                    found.insert(Thing::Inside(path.clone()));
                }
                Thing::Map(fields) => found.extend(fields.get(name).into_iter().flatten().cloned()),
                Thing::Root | Thing::List(_) | Thing::Text(_) => {}
            }
        }
        if found.is_empty() {
            for path in missing {
                self.complain(format!(
                    "{} is used and not declared in values.yaml",
                    dotted(&path)
                ));
            }
        }
        found
    }

    /// The names and the elements of maps and lists.
    pub(super) fn elements(&mut self, things: &Things) -> (Things, Things) {
        let (mut names, mut elements) = (Things::new(), Things::new());
        for thing in things {
            match thing {
                Thing::Value(path) if path.is_empty() => self.unknown_name(),
                Thing::Value(path) => match self.shape.children(path) {
                    Some(children) => {
                        for name in children {
                            elements.insert(Thing::Value(below(path, &name)));
                            names.insert(Thing::Text(name));
                        }
                    }
                    None => {
                        elements.insert(Thing::Inside(path.clone()));
                    }
                },
                Thing::Inside(path) => {
                    elements.insert(Thing::Inside(path.clone()));
                }
                Thing::Map(fields) => {
                    for (name, inner) in fields {
                        names.insert(Thing::Text(name.clone()));
                        elements.extend(inner.clone());
                    }
                }
                Thing::List(inner) => elements.extend(inner.clone()),
                Thing::Root | Thing::Text(_) => {}
            }
        }
        (names, elements)
    }

    /// They end in what is rendered.
    pub(super) fn consume(&mut self, things: &Things) {
        for thing in things {
            match thing {
                Thing::Value(path) if path.is_empty() => self.unknown_name(),
                Thing::Value(path) | Thing::Inside(path) => {
                    self.used.whole.insert(path.clone());
                }
                Thing::Map(fields) => fields.values().for_each(|inner| self.consume(inner)),
                Thing::List(inner) => self.consume(inner),
                Thing::Root | Thing::Text(_) => {}
            }
        }
    }

    /// A condition depends on them.
    pub(super) fn ask(&mut self, things: &Things) {
        for thing in things {
            if let Thing::Value(path) | Thing::Inside(path) = thing {
                self.used.asked.insert(path.clone());
            }
        }
    }

    /// Goes through a named template.
    pub(super) fn include(&mut self, name: &str, given: &Things) {
        self.called.insert(name.to_owned());
        if !self.done.insert((name.to_owned(), given.clone())) {
            return;
        }
        let Some((file, define)) = self.defines.get(name).copied() else {
            self.complain(format!("no template is called {name}"));
            return;
        };
        let here = (self.file.clone(), self.line);
        file.clone_into(&mut self.file);
        let mut scope = Scope {
            dot: given.clone(),
            dollar: given.clone(),
            variables: Vec::new(),
        };
        self.body(&define.body, &mut scope);
        (self.file, self.line) = here;
    }

    fn unknown_name(&mut self) {
        self.unknown.insert(Finding::new(
            &self.file,
            self.line,
            "reads values by names that are not known here: say which in a comment of this file, {{/* @uses a.b c.d */}}, \
             or {{/* @uses nothing */}} when none has to be declared",
        ));
    }

    fn complain(&mut self, text: String) {
        self.wrong.insert(Finding::new(&self.file, self.line, text));
    }
}

impl Scope {
    fn variable(&mut self, name: &str) -> Option<&mut Things> {
        self.variables
            .iter_mut()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, things)| things)
    }
}

/// The texts among things.
pub(super) fn texts(things: &Things) -> Vec<String> {
    things
        .iter()
        .filter_map(|thing| match thing {
            Thing::Text(text) => Some(text.clone()),
            _ => None,
        })
        .collect()
}
