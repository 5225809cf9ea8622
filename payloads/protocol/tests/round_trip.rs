//! What is written is read back, and whatever happens to a line on its way is noticed.
use proptest::prelude::*;
use setway_protocol::{ParseError, RecordWriter, Stream, Value, parse};

fn line(fields: &[(&str, Value<'_>)]) -> String {
    let mut out = String::new();
    RecordWriter::new(Stream::Guest)
        .write(&mut out, "check", fields)
        .unwrap();
    out
}

fn text(line: &str, name: &str) -> String {
    let record = parse(line).unwrap().unwrap();
    String::from_utf8(record.fields.bytes(name).unwrap().collect()).unwrap()
}

proptest! {
    #[test]
    fn any_text_and_number_survive(value in ".*", number: u64, chatter in "[^%]*") {
        let line = chatter + &line(&[("t", Value::Text(&value)), ("n", Value::Hex(number)), ("c", Value::Count(number))]);
        prop_assert_eq!(text(&line, "t"), value);
        let record = parse(&line).unwrap().unwrap();
        prop_assert_eq!(record.fields.number("n"), Some(number));
        prop_assert_eq!(record.fields.number("c"), Some(number));
    }

    #[test]
    fn a_changed_byte_is_noticed(value in "[a-z ]{1,40}", at in 0usize..60, byte in b' '..=b'}') {
        let whole = line(&[("t", Value::Text(&value))]);
        let mut bytes = whole.trim_end().as_bytes().to_vec();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != byte);
        // The hexadecimal checksum may be written in either case.
        prop_assume!(!bytes[at].eq_ignore_ascii_case(&byte));
        bytes[at] = byte;
        let damaged = String::from_utf8(bytes).unwrap();
        prop_assert!(!matches!(parse(&damaged), Some(Ok(_))), "{damaged}");
    }

    #[test]
    fn a_cut_line_is_noticed(value in "[a-z ]{1,40}", at in 0usize..60) {
        let whole = line(&[("t", Value::Text(&value))]);
        let whole = whole.trim_end();
        // Less than "%sw " is chatter, not a record.
        let keep = 4 + at % (whole.len() - 4);
        prop_assert!(matches!(parse(&whole[..keep]), Some(Err(_))));
    }

    #[test]
    fn no_input_panics(line in ".*") {
        let _ = parse(&line);
        let _ = parse(&format!("%sw {line}"));
    }
}

#[test]
fn other_output_is_no_record() {
    assert_eq!(parse("U-Boot 2024.01"), None);
    assert_eq!(parse("%sw g 0"), Some(Err(ParseError::NoChecksum)));
}
