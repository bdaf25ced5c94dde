//! stub
pub(crate) const TOOLS: &[&str] = &[
    "oneuser",
    "onehost",
    "onevm",
    "onedatastore",
    "onezone",
    "onecluster",
    "oneshowback",
    "onetemplate",
    "onegroup",
    "oneacl",
];
pub(crate) fn main(_: &str, _: &[String]) -> u8 {
    0
}
