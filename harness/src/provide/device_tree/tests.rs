use std::process::Stdio;

use dtoolkit::{Node, Property};
use proptest::prelude::*;

use super::*;
use crate::{catalog::Catalog, provide::qemu::Qemu, workspace::Workspace};

fn edits(text: &str) -> Edits {
    toml::from_str(text).expect("the test's own edits")
}

fn apply(text: &str, dtb: &[u8]) -> Result<DeviceTree, Error> {
    let fill = |text: &str| {
        if text.contains("{unknown}") {
            Err("`{unknown}` means nothing".to_owned())
        } else {
            Ok(text.replace("{size}", "0x1234"))
        }
    };
    let dtb = edits(text).apply(dtb, fill)?;
    let fdt = Fdt::new(&dtb).expect("a tree");
    Ok(DeviceTree::from_fdt(&fdt))
}

fn empty() -> Vec<u8> {
    DeviceTree::new().to_dtb()
}

fn value(tree: &DeviceTree, node: &str, property: &str) -> Vec<u8> {
    let node = tree.find_node(node).expect("the node");
    let property = node.property(property).expect("the property");
    property.value().to_owned()
}

const GUEST: &str = r##"
[[edit]]
node = "/chosen/domU1"
[edit.properties]
compatible = ["xen,domain"]
"#address-cells" = 2
memory = [0, 0x10000]
vpl011 = true
bootargs = "one two"

[[edit]]
node = "/chosen/domU1/module@0"
properties = { reg = "<0x0 0x48000000 0 {size}>", mixed = [1, "a", "b"] }
"##;

#[test]
fn every_kind_of_value_has_its_bytes() {
    let tree = apply(GUEST, &empty()).expect("sound edits");
    let guest = |property| value(&tree, "/chosen/domU1", property);
    assert_eq!(guest("compatible"), b"xen,domain\0");
    assert_eq!(guest("#address-cells"), [0, 0, 0, 2]);
    assert_eq!(guest("memory"), [0, 0, 0, 0, 0, 1, 0, 0]);
    assert!(guest("vpl011").is_empty());
    assert_eq!(guest("bootargs"), b"one two\0");
    let module = |property| value(&tree, "/chosen/domU1/module@0", property);
    assert_eq!(
        module("reg"),
        [0, 0, 0, 0, 0x48, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34]
    );
    assert_eq!(module("mixed"), b"\0\0\0\x01a\0b\0");
}

#[test]
fn what_there_was_can_go() {
    let with_guest = apply(GUEST, &empty()).expect("sound edits").to_dtb();
    let text = r#"
        delete = ["/chosen/domU1/module@0"]
        edit = [{ node = "/chosen/domU1", properties = { vpl011 = false, bootargs = "three" } }]
    "#;
    let tree = apply(text, &with_guest).expect("sound edits");
    let guest = tree.find_node("/chosen/domU1").expect("the guest");
    assert_eq!(guest.children().count(), 0);
    assert!(guest.property("vpl011").is_none());
    assert_eq!(value(&tree, "/chosen/domU1", "bootargs"), b"three\0");
    assert_eq!(value(&tree, "/chosen/domU1", "compatible"), b"xen,domain\0");
}

#[test]
fn errors_say_what_and_where() {
    let said = |text: &str| apply(text, &empty()).expect_err("unsound").to_string();
    let cases = [
        (r#"delete = ["/soc"]"#, "no node `/soc`"),
        (r#"edit = [{ node = "soc" }]"#, "`soc` cannot be a node"),
        (r#"edit = [{ node = "/a//b" }]"#, "a name in it is empty"),
        (r#"edit = [{ node = "/a b" }]"#, "`/a b` cannot be a node"),
        (
            r#"edit = [{ node = "/a", properties = { x = false } }]"#,
            "`x` of `/a` cannot be in a device tree: there is none to remove",
        ),
        (
            r#"edit = [{ node = "/a", properties = { x = "<0x100000000>" } }]"#,
            "`0x100000000` is no number of 32 bits",
        ),
        (
            r#"edit = [{ node = "/a", properties = { x = 0x100000000 } }]"#,
            "0x100000000 does not fit in 32 bits",
        ),
        (
            r#"edit = [{ node = "/a", properties = { x = "{unknown}" } }]"#,
            "`{unknown}` means nothing",
        ),
    ];
    for (text, expected) in cases {
        let said = said(text);
        assert!(said.contains(expected), "{said}");
        assert!(said.contains("\n  next: "), "{said}");
    }
    let error = Edits::default().apply(b"no tree", |text| Ok(text.to_owned()));
    assert!(matches!(error, Err(Error::NotATree(_))));
    let error = toml::from_str::<Edits>("edit = [{ node = \"/\", properties = { x = 1.5 } }]");
    let said = error.expect_err("no such value").to_string();
    assert!(said.contains("a value must be true, false,"), "{said}");
    for wrong in ["edits = []", r#"edit = [{ node = "/", property = {} }]"#] {
        assert!(toml::from_str::<Edits>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn qemus_own_tree_takes_a_guest_and_keeps_the_rest() {
    let workspace = Workspace::find().expect("tests run in a checkout");
    let catalog = Catalog::load(&workspace).expect("the committed files are sound");
    let Ok(Ok(qemu)) = Qemu::find(&workspace, &catalog.qemus) else {
        eprintln!("there is no QEMU here yet, so its device tree is not tried");
        return;
    };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("virt.dtb");
    let dumped = format!("virt,virtualization=on,dumpdtb={}", file.display());
    let mut command = qemu.command();
    command.args(["-M", &dumped, "-cpu", "cortex-a57", "-m", "256M"]);
    command.args(["-nodefaults", "-display", "none"]);
    let output = command.stdin(Stdio::null()).output().expect("QEMU starts");
    assert!(output.status.success(), "{output:?}");
    let dtb = std::fs::read(&file).expect("the dump");
    let fdt = Fdt::new(&dtb).expect("a tree");
    let before = DeviceTree::from_fdt(&fdt);
    let text = format!("delete = [\"/pl011@9000000\"]\n{GUEST}");
    let mut after = apply(&text, &dtb).expect("sound edits");
    assert!(after.find_node("/pl011@9000000").is_none());
    assert_eq!(
        value(&after, "/chosen/domU1", "memory"),
        [0, 0, 0, 0, 0, 1, 0, 0]
    );
    // Less the guest, and with the device again, it is what QEMU wrote.
    let chosen = after.find_node_mut("/chosen").expect("/chosen");
    chosen.remove_child("domU1").expect("the guest");
    let device = before.find_node("/pl011@9000000").expect("the device");
    after.root.add_child(device.clone());
    let sorted = |tree: &DeviceTree| {
        let mut all: Vec<String> = tree
            .root
            .children()
            .map(|node| format!("{node:?}"))
            .collect();
        all.sort();
        all
    };
    assert_eq!(sorted(&after), sorted(&before));
}

prop_compose! {
    fn name()(name in "[a-z][a-z0-9,._+-]{0,12}") -> String { name }
}

fn item() -> impl Strategy<Value = (toml::Value, Vec<u8>)> {
    let cell = any::<u32>().prop_map(|cell| {
        let bytes = cell.to_be_bytes().to_vec();
        (toml::Value::Integer(i64::from(cell)), bytes)
    });
    let text = "[a-zA-Z0-9 ,=/]{0,20}".prop_map(|text| {
        let bytes = [text.as_bytes(), &[0]].concat();
        (toml::Value::String(text), bytes)
    });
    let cells = prop::collection::vec(any::<u32>(), 0..4).prop_map(|cells| {
        let words: Vec<String> = cells.iter().map(|cell| format!("{cell:#x}")).collect();
        let bytes = cells.iter().flat_map(|cell| cell.to_be_bytes()).collect();
        (toml::Value::String(format!("<{}>", words.join(" "))), bytes)
    });
    prop_oneof![cell, text, cells]
}

proptest! {
    /// Whatever is put in, from TOML through the flattened tree, comes out, and doing it twice is doing
    /// it once.
    #[test]
    fn properties_come_through(
        path in prop::collection::vec(name(), 1..4),
        properties in prop::collection::btree_map(name(), prop::collection::vec(item(), 1..4), 0..5),
    ) {
        let path = format!("/{}", path.join("/"));
        let table: toml::Table = properties.iter().map(|(name, items)| {
            let items = items.iter().map(|(item, _)| item.clone()).collect();
            (name.clone(), toml::Value::Array(items))
        }).collect();
        let edit = toml::Table::from_iter([
            ("node".to_owned(), toml::Value::String(path.clone())),
            ("properties".to_owned(), toml::Value::Table(table)),
        ]);
        let edits = toml::Table::from_iter([("edit".to_owned(), toml::Value::Array(vec![edit.into()]))]);
        let text = toml::to_string(&edits).expect("TOML");
        let tree = apply(&text, &empty()).expect("sound edits");
        for (name, items) in &properties {
            let bytes: Vec<u8> = items.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            prop_assert_eq!(value(&tree, &path, name), bytes);
        }
        prop_assert_eq!(&apply(&text, &tree.to_dtb()).expect("sound edits"), &tree);
    }
}
