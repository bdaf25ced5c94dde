//! stub
pub(crate) fn main(_: &[String]) -> u8 {
    0
}
