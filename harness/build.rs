//! Puts the digest of the program's own sources into the program, so that it can check whether the checkout that
//! it is asked to test is the one that it was built from.

#[path = "src/workspace/fnv.rs"]
mod fnv;
#[path = "src/workspace/sources.rs"]
mod sources;

use std::{env, path::PathBuf};

fn main() {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = manifest.as_deref().and_then(|dir| dir.parent());
    let root = root.expect("Cargo names the package's directory, which lies in the checkout");
    for source in sources::HOST {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    let digest = sources::digest(root, &sources::HOST);
    let digest = digest.unwrap_or_else(|error| panic!("cannot read the sources: {error}"));
    println!("cargo::rustc-env=SETWAY_SOURCES={digest:016x}");
}
