//! The grammar of `oned.conf` and `monitord.conf`: a lossless parser and typed edits.
//!
//! [`Document::parse`] keeps every byte; an edit changes the bytes of one value, adds one line or one key, or
//! removes one, and leaves comments and layout alone. Reading follows OpenNebula's own scanner (its files
//! `src/parsers/template_parser.l` and `template_syntax.y`): names are upper-cased, the first value of a name
//! wins, the only escape is `\"`. Text that OpenNebula would drop or misread without a word is refused with its
//! line and the reason, both when reading and when writing.
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

pub use document::Document;
pub use error::{EditError, Inexpressible, ParseError, ParseErrorKind};
pub use value::check_value;
