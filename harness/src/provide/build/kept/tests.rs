use std::{cell::Cell, fs::FileTimes};

use tempfile::TempDir;

use super::*;

/// A checkout with a guest, a crate that it depends on, and one that it does not.
struct Checkout {
    dir: TempDir,
    workspace: Workspace,
    /// How often the guest was made.
    made: Cell<u64>,
}

impl Checkout {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let workspace = Workspace::at(dir.path()).with_target(dir.path().join("target"));
        let checkout = Self {
            dir,
            workspace,
            made: Cell::new(0),
        };
        for path in COMMON.into_iter().filter(|path| !path.contains('.')) {
            checkout.write(&format!("{path}/file"), "");
        }
        for path in COMMON.into_iter().filter(|path| path.contains('.')) {
            checkout.write(path, "");
        }
        checkout.write(
            "Cargo.toml",
            "[workspace]\nmembers = ['guest', 'library', 'other']\n",
        );
        checkout.write(
            "guest/Cargo.toml",
            "[package]\nname = 'guest'\n[dependencies]\nlibrary.workspace = true\n",
        );
        checkout.write("library/Cargo.toml", "[package]\nname = 'library'\n");
        checkout.write("library/lib.rs", "a && b");
        checkout.write("other/Cargo.toml", "[package]\nname = 'other'\n");
        checkout
    }

    fn path(&self, place: &str) -> PathBuf {
        self.dir.path().join(place)
    }

    fn write(&self, place: &str, text: &str) {
        let path = self.path(place);
        let above = path.parent().expect("a file is in a directory");
        fs::create_dir_all(above).expect("a writable directory");
        fs::write(path, text).expect("a writable directory");
    }

    /// Writes `text` to a file, whose time stays.
    fn write_unnoticed(&self, place: &str, text: &str) {
        let path = self.path(place);
        let time = fs::metadata(&path).and_then(|data| data.modified());
        self.write(place, text);
        let file = fs::OpenOptions::new().write(true).open(path);
        let times = FileTimes::new().set_modified(time.expect("a file"));
        let file = file.expect("a writable file");
        file.file().set_times(times).expect("a writable file");
    }

    /// Keeps the guest, and says how often it has been made by now.
    fn keep(&self) -> u64 {
        let target_dir = self.path("target/guest");
        let product = Product {
            package: "guest",
            compiler: String::new(),
            target_dir: &target_dir,
            files: vec![self.path("target/image")],
            stamp: self.path("target/stamp"),
        };
        let store = Store::open(&self.workspace).expect("a store");
        let kept = store.keep(&product, || {
            self.made.set(self.made.get() + 1);
            self.write("target/image", "image");
            // As Cargo remembers what it has built.
            for package in ["guest", "library", "serde"] {
                self.write(&self.memory(package), "");
            }
            Ok(7)
        });
        assert_eq!(kept.expect("a guest").build, 7);
        self.made.get()
    }

    fn memory(&self, package: &str) -> String {
        format!("target/guest/arm/release/.fingerprint/{package}-0123456789abcdef/dep")
    }

    fn is_remembered(&self, package: &str) -> bool {
        self.path(&self.memory(package)).exists()
    }
}

#[test]
fn what_has_not_changed_is_not_made_again() {
    let checkout = Checkout::new();
    assert_eq!((checkout.keep(), checkout.keep()), (1, 1));
    checkout.write("other/lib.rs", "not of the guest");
    checkout.write("library/lib.rs", "a && b");
    assert_eq!(checkout.keep(), 1);
}

#[test]
fn a_source_with_the_same_size_and_time_is_another_source() {
    let checkout = Checkout::new();
    assert_eq!(checkout.keep(), 1);
    checkout.write_unnoticed("library/lib.rs", "a || b");
    assert_eq!(checkout.keep(), 2);
    for place in COMMON.into_iter().filter(|path| path.contains('.')) {
        let made = checkout.keep();
        let text = fs::read_to_string(checkout.path(place)).expect("a file");
        checkout.write_unnoticed(place, &format!("{text}\n"));
        assert_eq!(checkout.keep(), made + 1, "{place}");
    }
}

#[test]
fn cargo_forgets_the_crates_that_changed_and_no_others() {
    let checkout = Checkout::new();
    checkout.keep();
    checkout.write_unnoticed("library/lib.rs", "a || b");
    let store = Store::open(&checkout.workspace).expect("a store");
    let target_dir = checkout.path("target/guest");
    store.refresh("guest", &target_dir).expect("a refresh");
    let remembered = ["guest", "library", "serde"].map(|it| checkout.is_remembered(it));
    assert_eq!(remembered, [true, false, true]);
    // What was built since then is of the sources as they are.
    checkout.write(&checkout.memory("library"), "");
    store.refresh("guest", &target_dir).expect("a refresh");
    assert!(checkout.is_remembered("library"));
}

#[test]
fn a_target_directory_of_unknown_origin_is_not_trusted() {
    let checkout = Checkout::new();
    checkout.write(&checkout.memory("library"), "");
    let store = Store::open(&checkout.workspace).expect("a store");
    let target_dir = checkout.path("target/guest");
    store.refresh("guest", &target_dir).expect("a refresh");
    assert!(!checkout.is_remembered("library"));
}

#[test]
fn a_product_that_was_changed_is_made_again() {
    let checkout = Checkout::new();
    assert_eq!(checkout.keep(), 1);
    checkout.write_unnoticed("target/image", "ima");
    assert_eq!(checkout.keep(), 2);
    checkout.write_unnoticed("target/image", "imagf");
    assert_eq!(checkout.keep(), 3);
    fs::remove_file(checkout.path("target/image")).expect("a file");
    assert_eq!(checkout.keep(), 4);
    let stamp = fs::read_to_string(checkout.path("target/stamp")).expect("a stamp");
    checkout.write("target/stamp", &stamp[..stamp.len() - 2]);
    assert_eq!((checkout.keep(), checkout.keep()), (5, 5));
}

#[test]
fn a_source_that_is_missing_is_an_error() {
    let checkout = Checkout::new();
    fs::remove_dir_all(checkout.path("harness/src/provide/rust")).expect("a directory");
    let store = Store::open(&checkout.workspace).expect("a store");
    let product = Product {
        package: "guest",
        compiler: String::new(),
        target_dir: &checkout.path("target/guest"),
        files: Vec::new(),
        stamp: checkout.path("target/stamp"),
    };
    let error = store.keep(&product, || panic!("it is not made"));
    let error = error.expect_err("a source is missing").to_string();
    assert!(error.contains("harness/src/provide/rust"), "{error}");
}

#[test]
fn the_sources_of_this_checkout_are_all_there() {
    let workspace = Workspace::find().expect("tests run in a checkout");
    sources::digest(workspace.root(), &COMMON).expect("every path exists");
    let crates = Crates::read(workspace.root()).expect("sound manifests");
    for package in [
        "setway-payload-aarch64",
        "setway-kvm",
        "setway-cache-plugin",
    ] {
        let closure = crates.closure(package).expect("a package");
        assert!(
            closure.contains("setway-protocol"),
            "{package}: {closure:?}"
        );
    }
}
