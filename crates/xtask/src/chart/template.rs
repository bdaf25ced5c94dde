//! Go templates, parsed as far as it takes to follow values through them.
//!
//! Text, numbers and comments are dropped; of comments only the line `@uses` stays. What the parser cannot read is an
//! error with its line, never skipped.

mod lexer;

use lexer::{Piece, Token, pieces};

/// A parsed file.
#[derive(Debug, Default)]
pub(super) struct File {
    /// What is rendered from it.
    pub(super) body: Vec<Node>,
    /// The named templates that it defines.
    pub(super) defines: Vec<Define>,
    /// Values that a comment says it uses: `{{/* @uses a.b c */}}`.
    pub(super) uses: Vec<(usize, String)>,
}

#[derive(Debug)]
pub(super) struct Define {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) body: Vec<Node>,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    /// `{{ … }}`
    Action(Pipe),
    /// `if`, `with` or `range` with what follows it, up to `end`.
    Block {
        kind: Kind,
        pipe: Pipe,
        body: Vec<Node>,
        /// Of `else`; an `else if` is a block in it.
        otherwise: Vec<Node>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    If,
    With,
    Range,
}

/// Commands, each handing its result to the next.
#[derive(Debug, Clone)]
pub(super) struct Pipe {
    pub(super) line: usize,
    /// Variables that get the result; two in a `range`.
    pub(super) variables: Vec<String>,
    pub(super) setting: Setting,
    pub(super) commands: Vec<Vec<Operand>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// `:=`
    New,
    /// `=`
    Existing,
}

/// A function's name, or an argument.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// `.` with the fields that follow: `.Values.a`.
    Dot(Vec<String>),
    /// `$` or `$name` with the fields that follow.
    Variable(String, Vec<String>),
    /// Parentheses with the fields that follow.
    Inner(Pipe, Vec<String>),
    Function(String),
    Text(String),
    /// A number, `true`, `nil`.
    Other,
}

/// Why a file cannot be read, and in which line.
pub(super) type Unreadable = (usize, String);

/// Parses a file.
pub(super) fn parse(text: &str) -> Result<File, Unreadable> {
    let mut file = File::default();
    let mut parser = Parser {
        pieces: pieces(text)?,
        at: 0,
    };
    let (body, end) = parser.body(&mut file, Within::File)?;
    if let End::Keyword(line, word) = end {
        return Err((line, format!("{word} without a beginning")));
    }
    file.body = body;
    Ok(file)
}

struct Parser {
    pieces: Vec<Piece>,
    at: usize,
}

/// What a body ended with.
enum End {
    OfFile,
    /// `end`, or `else` with the tokens after it still to be read.
    Keyword(usize, String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    File,
    Block,
}

impl Parser {
    fn body(&mut self, file: &mut File, within: Within) -> Result<(Vec<Node>, End), Unreadable> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.get(self.at).cloned() {
            let line = piece.line();
            let tokens = match piece {
                Piece::Comment(line, text) => {
                    for part in text.lines() {
                        if let Some((_, paths)) = part.split_once("@uses ") {
                            file.uses
                                .extend(paths.split_whitespace().map(|path| (line, path.to_owned())));
                        }
                    }
                    self.at += 1;
                    continue;
                }
                Piece::Action(_, tokens) => tokens,
            };
            let Some(Token::Word(word)) = tokens.first().cloned() else {
                self.at += 1;
                nodes.push(Node::Action(pipe(line, &tokens)?));
                continue;
            };
            match word.as_str() {
                "end" | "else" => return Ok((nodes, End::Keyword(line, word))),
                "if" | "with" | "range" => {
                    self.at += 1;
                    nodes.push(self.block(file, line, &word, &tokens[1..])?);
                }
                "define" | "block" => {
                    self.at += 1;
                    let Some(Token::Text(name)) = tokens.get(1) else {
                        return Err((line, format!("{word} without a name")));
                    };
                    let (body, end) = self.body(file, Within::Block)?;
                    self.end(line, &end)?;
                    file.defines.push(Define {
                        name: name.clone(),
                        line,
                        body,
                    });
                    if word == "block" {
                        nodes.push(Node::Action(include(line, &tokens[1..])?));
                    }
                }
                "template" => {
                    self.at += 1;
                    nodes.push(Node::Action(include(line, &tokens[1..])?));
                }
                "break" | "continue" => self.at += 1,
                _ => {
                    self.at += 1;
                    nodes.push(Node::Action(pipe(line, &tokens)?));
                }
            }
        }
        match within {
            Within::File => Ok((nodes, End::OfFile)),
            Within::Block => {
                let line = self.pieces.last().map_or(1, Piece::line);
                Err((line, "the file ends where an end is missing".to_owned()))
            }
        }
    }

    /// What follows `if`, `with` or `range`.
    fn block(
        &mut self,
        file: &mut File,
        line: usize,
        word: &str,
        tokens: &[Token],
    ) -> Result<Node, Unreadable> {
        let kind = match word {
            "if" => Kind::If,
            "with" => Kind::With,
            _ => Kind::Range,
        };
        let pipe = pipe(line, tokens)?;
        let (body, end) = self.body(file, Within::Block)?;
        let otherwise = match end {
            End::Keyword(line, word) if word == "else" => self.otherwise(file, line)?,
            end => {
                self.end(line, &end)?;
                Vec::new()
            }
        };
        Ok(Node::Block {
            kind,
            pipe,
            body,
            otherwise,
        })
    }

    fn otherwise(&mut self, file: &mut File, line: usize) -> Result<Vec<Node>, Unreadable> {
        let Some(Piece::Action(_, tokens)) = self.pieces.get(self.at).cloned() else {
            return Ok(Vec::new());
        };
        self.at += 1;
        match tokens.get(1) {
            // An `else if` ends with the `end` of the block that it belongs to.
            Some(Token::Word(word)) if word == "if" || word == "with" => {
                Ok(vec![self.block(file, line, word, &tokens[2..])?])
            }
            Some(_) => Err((line, "else with something that cannot be read".to_owned())),
            None => {
                let (body, end) = self.body(file, Within::Block)?;
                self.end(line, &end)?;
                Ok(body)
            }
        }
    }

    /// Passes an `end`.
    fn end(&mut self, line: usize, end: &End) -> Result<(), Unreadable> {
        match end {
            End::Keyword(_, word) if word == "end" => {
                self.at += 1;
                Ok(())
            }
            _ => Err((line, "what begins here has no end".to_owned())),
        }
    }
}

/// `template NAME PIPE` as the function `include`.
fn include(line: usize, tokens: &[Token]) -> Result<Pipe, Unreadable> {
    let (Some(Token::Text(name)), rest) = (tokens.first(), tokens.get(1..).unwrap_or_default()) else {
        return Err((line, "template without a name".to_owned()));
    };
    let mut operands = vec![
        Operand::Function("include".to_owned()),
        Operand::Text(name.clone()),
    ];
    if !rest.is_empty() {
        operands.push(Operand::Inner(pipe(line, rest)?, Vec::new()));
    }
    Ok(Pipe {
        line,
        variables: Vec::new(),
        setting: Setting::New,
        commands: vec![operands],
    })
}

fn pipe(line: usize, tokens: &[Token]) -> Result<Pipe, Unreadable> {
    let setting = tokens.iter().position(|token| matches!(token, Token::Set(_)));
    let (variables, setting, rest) = match setting {
        None => (Vec::new(), Setting::New, tokens),
        Some(at) => {
            let variables = tokens[..at]
                .iter()
                .filter_map(|token| match token {
                    Token::Variable(name, fields) if fields.is_empty() => Some(Ok(name.clone())),
                    Token::Comma => None,
                    _ => Some(Err((line, "something other than a variable is set".to_owned()))),
                })
                .collect::<Result<_, _>>()?;
            let setting = match tokens[at] {
                Token::Set(setting) => setting,
                _ => Setting::New,
            };
            (variables, setting, &tokens[at + 1..])
        }
    };
    let mut commands = vec![Vec::new()];
    let mut at = 0;
    while let Some(token) = rest.get(at) {
        at += 1;
        let operand = match token {
            Token::Pipe => {
                commands.push(Vec::new());
                continue;
            }
            Token::Dot(fields) => Operand::Dot(fields.clone()),
            Token::Variable(name, fields) => Operand::Variable(name.clone(), fields.clone()),
            Token::Word(word) if matches!(word.as_str(), "true" | "false" | "nil") => Operand::Other,
            Token::Word(word) => Operand::Function(word.clone()),
            Token::Text(text) => Operand::Text(text.clone()),
            Token::Other => Operand::Other,
            Token::Open => {
                let close = closing(rest, at).ok_or((line, "a parenthesis is not closed".to_owned()))?;
                let inner = pipe(line, &rest[at..close])?;
                let fields = match &rest[close] {
                    Token::Close(fields) => fields.clone(),
                    _ => Vec::new(),
                };
                at = close + 1;
                Operand::Inner(inner, fields)
            }
            Token::Close(_) => return Err((line, "a parenthesis is closed that is not open".to_owned())),
            Token::Comma | Token::Set(_) => return Err((line, "cannot be read as a pipeline".to_owned())),
        };
        if let Some(command) = commands.last_mut() {
            command.push(operand);
        }
    }
    if commands.iter().any(Vec::is_empty) {
        return Err((line, "nothing where a command is expected".to_owned()));
    }
    Ok(Pipe {
        line,
        variables,
        setting,
        commands,
    })
}

/// Where the parenthesis is closed that was opened before `from`.
fn closing(tokens: &[Token], from: usize) -> Option<usize> {
    let mut open = 1;
    for (index, token) in tokens.iter().enumerate().skip(from) {
        match token {
            Token::Open => open += 1,
            Token::Close(_) => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(index);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_nest_and_else_if_shares_its_end() {
        let file = parse(
            "a{{- if .a }}{{ .b }}{{ else if .c }}{{ .d }}{{ else }}{{ .e }}{{- end -}}\n{{ with $x := .f }}{{ end }}{{ .last }}",
        )
        .unwrap();
        assert_eq!(file.body.len(), 3);
        let Node::Block {
            kind: Kind::If,
            otherwise,
            ..
        } = &file.body[0]
        else {
            panic!("{:?}", file.body[0]);
        };
        let Node::Block { body, otherwise, .. } = &otherwise[0] else {
            panic!("{otherwise:?}");
        };
        assert_eq!((body.len(), otherwise.len()), (1, 1));
    }

    #[test]
    fn comments_strings_and_raw_strings_may_hold_braces() {
        let file =
            parse("{{/* }} @no\nText. @uses a.b c\n*/}}{{ printf \"}} %s\" `}}` }}{{- /* @uses d */ -}}")
                .unwrap();
        assert_eq!(file.body.len(), 1);
        let uses: Vec<&str> = file.uses.iter().map(|(_, path)| path.as_str()).collect();
        assert_eq!(uses, ["a.b", "c", "d"]);
    }

    #[test]
    fn a_template_is_defined_and_included() {
        let file =
            parse("{{ define \"x\" }}{{ .a }}{{ end }}{{ template \"x\" .b }}{{ block \"y\" . }}{{ end }}")
                .unwrap();
        let names: Vec<&str> = file.defines.iter().map(|define| define.name.as_str()).collect();
        assert_eq!(names, ["x", "y"]);
        assert_eq!(file.body.len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        for (text, line) in [
            ("a\n{{ if .x }}", 2),
            ("{{ end }}", 1),
            ("\n\n{{ .a", 3),
            ("{{ (.a }}", 1),
            ("{{ .a) }}", 1),
            ("{{ .a | }}", 1),
            ("{{ \"a }}", 1),
            ("{{ define }}{{ end }}", 1),
            ("{{ else }}", 1),
            ("{{/* a", 1),
            ("{{ }}", 1),
        ] {
            assert_eq!(
                parse(text).map_err(|(line, _)| line).err(),
                Some(line),
                "{text:?}"
            );
        }
    }
}
