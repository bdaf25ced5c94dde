//! The grammar of `oned.conf` and `monitord.conf`: a lossless parser and typed edits.
//!
//! [`Document::parse`] keeps every byte; an edit changes the bytes of one value, adds one line or one key, or
//! removes one, and leaves comments and layout alone. Reading follows OpenNebula's own scanner (its files
//! `src/parsers/template_parser.l` and `template_syntax.y`): names are upper-cased, the first value of a name
//! wins, the only escape is `\"`. Text that OpenNebula would drop or misread without a word is refused with its
//! line and the reason, both when reading and when writing.
//!
//! ```
//! use oned_conf::Document;
//!
//! let mut conf = Document::parse("PORT = 2633 # the API\nDB = [ BACKEND = \"sqlite\", TIMEOUT = 2500 ]\n")?;
//! assert_eq!(conf.get_in("db", "backend").as_deref(), Some("sqlite"));
//! conf.set_in("DB", "BACKEND", "mysql")?;
//! conf.set_in("DB", "SERVER", "db.example")?;
//! assert_eq!(
//!     conf.to_string(),
//!     "PORT = 2633 # the API\nDB = [ BACKEND = \"mysql\", TIMEOUT = 2500, SERVER = \"db.example\" ]\n"
//! );
//! assert!(conf.set_in("DB", "PASSWD", "one two\\").is_err(), "a backslash before the closing quote");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate does no I/O, knows no attribute by name and has no opinion about values. `one_drs.conf`, although
//! it stands beside these files, is YAML and not of this grammar.

mod document;
mod edit;
mod error;
mod parse;
mod placement;
mod removal;
mod splice;
mod syntax;
mod value;

pub use document::{Content, Document};
pub use error::{EditError, Inexpressible, ParseError, ParseErrorKind};
pub use value::check_value;
