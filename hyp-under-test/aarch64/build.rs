//! Hands the linker the layout that all images share.
fn main() {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../payloads/runtime/image.ld"
    );
    println!("cargo::rustc-link-arg-bins=-T{script}");
    println!("cargo::rustc-link-arg-bins=--emit-relocs");
    println!("cargo::rerun-if-changed={script}");
}
