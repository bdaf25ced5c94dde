//! What a `PromQL` expression asks for: its selectors, and the labels by which it groups and matches.
//!
//! A reader of names, not a parser: it knows words, brackets and functions, and leaves types and the order of operators to
//! `promtool`. It is stricter than the language in one point: a selector without braces is an error, because it would read
//! every release in the cluster.

use std::collections::BTreeSet;

/// Functions and aggregations that the chart's expressions use. One more is one more word here.
const FUNCTIONS: [&str; 11] = [
    "absent",
    "changes",
    "histogram_quantile",
    "increase",
    "max",
    "max_over_time",
    "min",
    "min_over_time",
    "rate",
    "sum",
    "time",
];

/// Words that a list of labels follows.
const LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Words between two operands.
const OPERATORS: [&str; 3] = ["and", "or", "unless"];

/// One selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// The metric's name.
    pub metric: String,
    /// Label, operator and value of each matcher.
    pub matchers: Vec<(String, String, String)>,
}

/// What an expression asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Every selector, in order.
    pub selectors: Vec<Selector>,
    /// Labels in `by (…)`, `on (…)` and their like.
    pub labels: BTreeSet<String>,
}

/// Why an expression cannot be read: a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    /// A number or a duration.
    Number,
    Sign(String),
}

/// Reads an expression.
pub fn read(expression: &str) -> Result<Asked, Unreadable> {
    let tokens = tokens(expression)?;
    balanced(&tokens)?;
    let mut asked = Asked::default();
    let mut rest = tokens.as_slice();
    while let [token, after @ ..] = rest {
        rest = after;
        let Token::Word(word) = token else { continue };
        let sign = |sign: &str| after.first() == Some(&Token::Sign(sign.to_owned()));
        if LISTS.contains(&word.as_str()) && sign("(") {
            let end = position(after, ")")?;
            for label in after.iter().take(end) {
                if let Token::Word(label) = label {
                    asked.labels.insert(label.clone());
                }
            }
            rest = after.get(end..).unwrap_or_default();
        } else if sign("{") {
            let end = position(after, "}")?;
            asked.selectors.push(Selector {
                metric: word.clone(),
                matchers: matchers(word, after.get(1..end).unwrap_or_default())?,
            });
            rest = after.get(end..).unwrap_or_default();
        } else if FUNCTIONS.contains(&word.as_str()) {
            if !sign("(")
                && !matches!(after.first(), Some(Token::Word(next)) if LISTS.contains(&next.as_str()))
            {
                return Err(Unreadable(format!("the function {word} has no parenthesis")));
            }
        } else if !OPERATORS.contains(&word.as_str()) {
            return Err(Unreadable(if sign("(") {
                format!("{word} is no function that is known here")
            } else {
                format!("{word} has no braces: it would be that of every release")
            }));
        }
    }
    Ok(asked)
}

fn matchers(metric: &str, tokens: &[Token]) -> Result<Vec<(String, String, String)>, Unreadable> {
    tokens
        .split(|token| *token == Token::Sign(",".to_owned()))
        .map(|matcher| match matcher {
            [Token::Word(label), Token::Sign(operator), Token::Text(value)]
                if ["=", "!=", "=~", "!~"].contains(&operator.as_str()) =>
            {
                Ok((label.clone(), operator.clone(), value.clone()))
            }
            other => Err(Unreadable(format!("{metric} has a matcher {other:?}"))),
        })
        .collect()
}

fn position(tokens: &[Token], sign: &str) -> Result<usize, Unreadable> {
    tokens
        .iter()
        .position(|token| *token == Token::Sign(sign.to_owned()))
        .ok_or_else(|| Unreadable(format!("a {sign} is missing")))
}

fn balanced(tokens: &[Token]) -> Result<(), Unreadable> {
    let mut open = Vec::new();
    for token in tokens {
        let Token::Sign(sign) = token else { continue };
        match sign.as_str() {
            "(" => open.push(")"),
            "[" => open.push("]"),
            "{" => open.push("}"),
            ")" | "]" | "}" if open.pop() != Some(sign) => {
                return Err(Unreadable(format!("a {sign} closes nothing")));
            }
            _ => {}
        }
    }
    match open.pop() {
        Some(sign) => Err(Unreadable(format!("a {sign} is missing"))),
        None => Ok(()),
    }
}

fn tokens(expression: &str) -> Result<Vec<Token>, Unreadable> {
    let mut found = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first == '"' {
            let (text, length) = text(rest)?;
            found.push(Token::Text(text));
            length
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = run(rest, |char| char.is_ascii_alphanumeric() || "_:".contains(char));
            found.push(Token::Word(rest.get(..length).unwrap_or_default().to_owned()));
            length
        } else if first.is_ascii_digit() {
            found.push(Token::Number);
            run(rest, |char| char.is_ascii_alphanumeric() || char == '.')
        } else {
            let signs = ["=~", "!~", "!=", "==", ">=", "<="];
            let sign = signs
                .into_iter()
                .find(|sign| rest.starts_with(sign))
                .or_else(|| rest.get(..1))
                .filter(|sign| signs.contains(sign) || "=<>+-*/%^,:()[]{}".contains(sign))
                .ok_or_else(|| Unreadable(format!("{first:?} is no sign of the language")))?;
            found.push(Token::Sign(sign.to_owned()));
            sign.len()
        };
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(found)
}

/// The text in quotes at the beginning, and its length with them.
fn text(from: &str) -> Result<(String, usize), Unreadable> {
    let mut text = String::new();
    let mut chars = from.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Ok((text, at + 1)),
            '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
            other => text.push(other),
        }
    }
    Err(Unreadable("a quote is missing".to_owned()))
}

/// Length of the beginning in which every character belongs.
fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|char| !belongs(char)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_and_labels_are_found() {
        let asked = read(
            "max by (pod, le) (rate(a_total{job=\"x\", pod=~\"y|\\\"z\"}[5m])) / 2.5 > 1e3\n  and on (zone) b{c!=\"\"} == 1",
        )
        .unwrap();
        let matcher = |label: &str, operator: &str, value: &str| {
            (label.to_owned(), operator.to_owned(), value.to_owned())
        };
        assert_eq!(
            asked.selectors,
            [
                Selector {
                    metric: "a_total".to_owned(),
                    matchers: vec![matcher("job", "=", "x"), matcher("pod", "=~", "y|\"z")],
                },
                Selector {
                    metric: "b".to_owned(),
                    matchers: vec![matcher("c", "!=", "")],
                },
            ]
        );
        assert_eq!(
            asked.labels,
            ["le", "pod", "zone"].map(str::to_owned).into_iter().collect()
        );
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (expression, word) in [
            ("up == 0", "up has no braces"),
            ("foo(a{b=\"c\"})", "foo is no function"),
            ("max(a{b=\"c\"}", ") is missing"),
            ("a{b=\"c\"})", ") closes nothing"),
            ("rate(a{b=\"c\"}[5m)", ") closes nothing"),
            ("a{b=c}", "matcher"),
            ("a{b==\"c\"}", "matcher"),
            ("a{b=\"c}", "quote"),
            ("max a{b=\"c\"}", "no parenthesis"),
            ("a{b=\"c\"} & b{c=\"d\"}", "no sign"),
        ] {
            let error = read(expression).unwrap_err().to_string();
            assert!(error.contains(word), "{expression}: {error}");
        }
    }
}
