//! How the real `onedb` reads oned.conf: by Augeas and its lens `Oned` (`share/augeas/oned.aug` in OpenNebula's source), which
//! takes less than oned's own parser. A file that does not fit the lens as a whole has no value at all.
//!
//! What oned takes and the lens does not: a backslash in quotes before anything but a quote or a backslash, an empty value, a
//! comment behind a closing bracket, an unquoted value with an opening one. Backslashes of a value are lost.

/// The values of a text, by `NAME` or `NAME/KEY`.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    entries: Vec<(String, String)>,
}

impl Tree {
    /// Reads the whole text; `None` when it does not fit the lens.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut tree = Self::default();
        let mut rest = Rest(text);
        while !rest.0.is_empty() {
            rest.line(&mut tree)?;
        }
        Some(tree)
    }

    /// A value as `onedb` goes on with it: without its quotes, and without any backslash.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let (_, value) = self.entries.iter().find(|(known, _)| known == path)?;
        let value = value.strip_suffix('"').unwrap_or(value);
        let value = value.strip_prefix('"').unwrap_or(value);
        Some(value.replace('\\', ""))
    }
}

/// What has not been read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// One line of the file, or one section. A last line needs no end: Augeas adds it.
    fn line(&mut self, tree: &mut Tree) -> Option<()> {
        self.blanks();
        if self.0.starts_with('#') {
            self.comment();
            return self.end_of_line();
        }
        if self.end_of_line().is_some() {
            return Some(());
        }
        let name = self.name()?;
        self.separator()?;
        if self.take("[").is_some() {
            self.section(name, tree)?;
            self.blanks();
            return self.end_of_line();
        }
        let value = self.value("[#\"")?;
        tree.entries.push((name.to_owned(), value.to_owned()));
        self.blanks();
        self.comment();
        self.end_of_line()
    }

    /// Entries up to the closing bracket.
    fn section(&mut self, name: &str, tree: &mut Tree) -> Option<()> {
        self.blanks_and_lines();
        loop {
            while self.comment() {
                self.end_of_line()?;
                self.blanks();
            }
            let key = self.name()?;
            self.separator()?;
            let mut value = self.value("#,\"")?;
            // An unquoted value may hold a bracket, so that the last one belongs to the section.
            let closes = !value.starts_with('"') && value.ends_with(']');
            if closes {
                value = value.strip_suffix(']')?;
            }
            tree.entries.push((format!("{name}/{key}"), value.to_owned()));
            if closes {
                return Some(());
            }
            self.blanks();
            if self.take(",").is_some() {
                self.blanks_and_lines();
                continue;
            }
            self.blanks_and_lines();
            while self.comment() {
                self.end_of_line()?;
            }
            return self.take("]");
        }
    }

    fn name(&mut self) -> Option<&'a str> {
        let name = self.while_it(|next| next.is_ascii_alphanumeric() || next == '_');
        (!name.is_empty()).then_some(name)
    }

    fn separator(&mut self) -> Option<()> {
        self.blanks();
        self.take("=")?;
        self.blanks();
        Some(())
    }

    /// A text in quotes, or a run without blanks and what else cannot be in it.
    fn value(&mut self, excluded: &str) -> Option<&'a str> {
        if !self.0.starts_with('"') {
            let value = self.while_it(|next| !next.is_ascii_whitespace() && !excluded.contains(next));
            return (!value.is_empty()).then_some(value);
        }
        let mut escaped = false;
        for (at, next) in self.0.char_indices().skip(1) {
            match next {
                '\\' | '"' if escaped => escaped = false,
                _ if escaped => return None,
                '\\' => escaped = true,
                '"' => {
                    let (value, rest) = self.0.split_at(at + 1);
                    self.0 = rest;
                    return Some(value);
                }
                _ => {}
            }
        }
        None
    }

    /// True when there was one.
    fn comment(&mut self) -> bool {
        let is_one = self.0.starts_with('#');
        if is_one {
            self.while_it(|next| next != '\n');
        }
        is_one
    }

    fn blanks(&mut self) {
        self.while_it(|next| next == ' ' || next == '\t');
    }

    fn blanks_and_lines(&mut self) {
        self.while_it(|next| next == ' ' || next == '\t' || next == '\n');
    }

    fn end_of_line(&mut self) -> Option<()> {
        if self.0.is_empty() {
            return Some(());
        }
        self.take("\n")
    }

    fn take(&mut self, word: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(word)?;
        Some(())
    }

    fn while_it(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|next| !belongs(next)).unwrap_or(self.0.len());
        let (front, rest) = self.0.split_at(end);
        self.0 = rest;
        front
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Option<String> {
        Tree::read(text)?.get("DB/PASSWD")
    }

    #[test]
    fn what_the_packages_ship_is_read() {
        let tree = Tree::read(include_str!("../assets/etc/oned.conf")).unwrap();
        assert_eq!(tree.get("DB/BACKEND").as_deref(), Some("sqlite"));
        assert_eq!(tree.get("PORT").as_deref(), Some("2633"));
    }

    #[test]
    fn a_password_is_read_as_the_lens_has_it() {
        for (value, read) in [
            ("\"a b#c\"", Some("a b#c")),
            ("\"a]b,c\"", Some("a]b,c")),
            ("plain", Some("plain")),
            ("\"a\\\"b\"", Some("a\"b")),
            ("\"a\\\\b\"", Some("ab")),
            ("\"a\\b\"", None),
            ("\"end\\\"", None),
        ] {
            let text = format!("PORT = 2633\nDB = [ BACKEND = \"mysql\",\n  PASSWD = {value} ]\n");
            assert_eq!(password(&text).as_deref(), read, "{value}");
            let text = format!("DB = [ PASSWD = {value}, BACKEND = \"mysql\" ]");
            assert_eq!(password(&text).as_deref(), read, "{value}");
        }
    }

    #[test]
    fn a_line_anywhere_that_does_not_fit_takes_every_value_away() {
        let good = "DB = [ PASSWD = \"x\" ]\n";
        for other in [
            "A = \"1\" # why\n",
            "  # why\n",
            "\t\n",
            "A = [\n  # why\n  B = c,\n  D = \"e\"\n]\n",
        ] {
            assert_eq!(
                password(&format!("{other}{good}")).as_deref(),
                Some("x"),
                "{other}"
            );
        }
        for other in [
            "A =\n",
            "A = [ B = c ] # why\n",
            "A = b c\n",
            "A = \"\\d\"\n",
            "nothing\n",
        ] {
            assert_eq!(password(&format!("{good}{other}")), None, "{other}");
        }
    }
}
