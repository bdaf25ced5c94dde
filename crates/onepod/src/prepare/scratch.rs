//! A front-end's root for unit tests: an empty directory, and a board that hears what the stages tell the operator.

use tempfile::TempDir;

use crate::board::Board;
use crate::paths::Paths;

/// The root; it goes with the value.
pub(crate) struct Scratch {
    _dir: TempDir,
    pub(crate) paths: Paths,
    pub(crate) board: Board,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        Self {
            paths: Paths::new(dir.path()),
            board: Board::new(),
            _dir: dir,
        }
    }

    /// What the operator was told, a line for each note.
    pub(crate) fn notes(&self) -> String {
        notes(&self.board)
    }
}

/// What the operator was told on a board.
pub(crate) fn notes(board: &Board) -> String {
    let stages = board.stages().into_iter();
    stages
        .flat_map(|stage| stage.notes)
        .collect::<Vec<_>>()
        .join("\n")
}
