//! Which C library a program asks for, by the names of versions that its file has. The file is not run.

/// What stands before a version.
const MARK: &[u8] = b"GLIBC_2.";

/// The newest `2.N` that the program asks for; none of a program that is linked statically.
pub(super) fn newest(program: &[u8]) -> Option<u32> {
    let starts = program
        .windows(MARK.len())
        .enumerate()
        .filter(|(_, part)| *part == MARK)
        .map(|(place, _)| place + MARK.len());
    starts
        .filter_map(|start| {
            let digits = program[start..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .take(4);
            let text: String = digits.map(|&byte| char::from(byte)).collect();
            text.parse().ok()
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_counts_as_a_number() {
        let program = b"\x7fELF\0GLIBC_2.9\0GLIBC_2.34\0GLIBC_2.3.4\0GLIBC_PRIVATE\0";
        assert_eq!(newest(program), Some(34));
        assert_eq!(newest(b"\x7fELF GLIBC_2."), None);
        assert_eq!(newest(b""), None);
    }
}
