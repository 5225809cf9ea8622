//! What is written is read back, and whatever happens to a line on its way is noticed.
//!
//! Lines are made here from the list of kinds, by a writer and a checksum that share nothing with those of
//! the crate.

use proptest::prelude::*;
use setway_protocol::{
    Agent, Channel, FieldSpec, Form, Guest, Hypervisor, Key, KindSpec, Malformed, Model,
    ParseError, Record, RecordWriter, Requester, Seal, Speaker, Stream, Why, parse,
    record::{Check, KINDS, Mark, Message, Over, Stale},
    word::{CheckKind, GuestEnd},
};

const KEY: Key = Key::new([7; 16]);

/// The CRC-32 of Ethernet, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), bit);
    !bytes.iter().fold(u32::MAX, byte)
}

/// The channel on which `stream` can be heard.
fn channel(stream: Stream) -> Channel {
    match stream {
        Stream::Guest | Stream::Hypervisor | Stream::Agent => Channel::Console(Some(KEY)),
        Stream::Model => Channel::Log,
        Stream::Requester => Channel::Requests,
    }
}

/// A line of a record whose fields are `fields`, as they are to stand there.
fn line(stream: Stream, kind: &str, fields: &[String]) -> String {
    let words: String = fields.iter().map(|field| format!(" {field}")).collect();
    let body = format!("%sw {} 3 {kind}{words}", stream.letter());
    let seal = if stream.is_keyed() {
        use std::hash::Hasher;
        let mut hash = siphasher::sip::SipHasher24::new_with_key(&KEY.bytes());
        hash.write(body.as_bytes());
        format!("{:016x}", hash.finish())
    } else {
        format!("{:08x}", crc32(body.as_bytes()))
    };
    format!("{body} ~{seal}\r\n")
}

/// Writes `message` as the fourth record of `stream`.
fn written(stream: Stream, message: &Message<'_>) -> String {
    let mut fields = String::new();
    message.write_fields(&mut fields).unwrap();
    let fields: Vec<String> = fields.split(' ').skip(1).map(str::to_owned).collect();
    line(stream, message.spec().kind, &fields)
}

/// Any value of a form, as it is written.
fn value(form: Form) -> BoxedStrategy<String> {
    let number = any::<u64>().prop_map(|n| n.to_string());
    let hex = any::<u64>().prop_map(|n| format!("{n:#x}"));
    let actor = (number.clone(), any::<bool>(), number.clone(), hex.clone());
    let actor = actor.prop_map(|(cpu, is_code, el, pc)| {
        if is_code {
            format!("{cpu}:{el}:{pc}")
        } else {
            cpu
        }
    });
    let word = |words: &'static [setway_protocol::WordSpec]| {
        proptest::sample::select(words).prop_map(|it| it.word.to_owned())
    };
    match form {
        Form::Decimal => number.boxed(),
        Form::Hexadecimal => hex.boxed(),
        Form::Flag => any::<bool>()
            .prop_map(|it| u8::from(it).to_string())
            .boxed(),
        Form::Text => any::<String>().prop_map(|text| escape(&text)).boxed(),
        Form::Bytes => any::<Vec<u8>>()
            .prop_map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
            .boxed(),
        Form::Word(words) => word(words).boxed(),
        Form::Whereabouts => prop_oneof![
            number.prop_map(|cpu| format!("cache:{cpu}")),
            proptest::sample::select(&["system-cache", "memory", "lost"][..])
                .prop_map(str::to_owned),
        ]
        .boxed(),
        Form::Actor => actor.boxed(),
        Form::Deed(words) => (word(words), actor)
            .prop_map(|(what, by)| format!("{what}:{by}"))
            .boxed(),
    }
}

fn escape(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'%' | b'~' | b'=' => format!("%{byte:02X}"),
        b'!'..=b'}' => char::from(byte).into(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Any field of a record, as it is written; optional ones may be missing.
fn field(spec: &'static FieldSpec) -> BoxedStrategy<Option<String>> {
    let name = spec.name;
    let field = value(spec.form).prop_map(move |value| format!("{name}={value}"));
    if spec.is_optional {
        proptest::option::of(field).boxed()
    } else {
        field.prop_map(Some).boxed()
    }
}

/// Any record: its kind, one of its streams, and its fields as they are written.
fn record() -> impl Strategy<Value = (&'static KindSpec, Stream, Vec<String>)> {
    proptest::sample::select(KINDS.iter().collect::<Vec<_>>()).prop_flat_map(|spec| {
        let fields: Vec<_> = spec.fields.iter().map(field).collect();
        let fields = fields.prop_map(|fields| fields.into_iter().flatten().collect::<Vec<_>>());
        (Just(spec), proptest::sample::select(spec.by), fields)
    })
}

fn read(line: &str, stream: Stream) -> Message<'_> {
    let record = parse(line, channel(stream)).unwrap().unwrap();
    Message::try_from(record).unwrap()
}

/// Why the record on a whole line is none.
fn refused<R>(line: &str, stream: Stream, check: impl FnOnce(Malformed<'_>) -> R) -> R {
    let record = parse(line, channel(stream)).unwrap().unwrap();
    check(Message::try_from(record).unwrap_err())
}

proptest! {
    #[test]
    fn any_record_is_read_back_as_it_was_written(
        (spec, stream, fields) in record(),
        chatter in "[^%]*",
        turn in any::<prop::sample::Index>(),
    ) {
        let whole = line(stream, spec.kind, &fields);
        let message = read(&whole, stream);
        prop_assert_eq!(message.spec().name, spec.name);
        // What is written of it is the very line.
        prop_assert_eq!(&written(stream, &message), &whole);
        // The order of the fields is of no matter, nor what stands before them.
        let mut fields = fields;
        if !fields.is_empty() {
            let by = turn.index(fields.len());
            fields.rotate_left(by);
        }
        let turned = chatter + &line(stream, spec.kind, &fields);
        prop_assert_eq!(read(&turned, stream), message);
    }

    #[test]
    fn a_changed_byte_is_noticed(
        (spec, stream, fields) in record(),
        at in any::<prop::sample::Index>(),
        byte in b' '..=b'}',
    ) {
        let whole = line(stream, spec.kind, &fields);
        let mut bytes = whole.trim_end().as_bytes().to_vec();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let damaged = String::from_utf8(bytes).unwrap();
        prop_assert!(!matches!(parse(&damaged, channel(stream)), Some(Ok(_))), "{}", damaged);
    }

    #[test]
    fn a_cut_line_is_noticed((spec, stream, fields) in record(), at in any::<prop::sample::Index>()) {
        let whole = line(stream, spec.kind, &fields);
        let whole = whole.trim_end();
        // Less than "%sw " is chatter, not a record.
        let keep = 4 + at.index(whole.len() - 4);
        prop_assert!(matches!(parse(&whole[..keep], channel(stream)), Some(Err(_))));
    }

    #[test]
    fn a_missing_field_is_noticed((spec, stream, mut fields) in record(), at in any::<prop::sample::Index>()) {
        prop_assume!(!fields.is_empty());
        let gone = fields.remove(at.index(fields.len()));
        let (name, _) = gone.split_once('=').unwrap();
        let is_optional = spec.fields.iter().any(|it| it.name == name && it.is_optional);
        let short = line(stream, spec.kind, &fields);
        let record = parse(&short, channel(stream)).unwrap().unwrap();
        match Message::try_from(record) {
            Ok(_) => prop_assert!(is_optional),
            Err(error) => {
                prop_assert_eq!(error.why, Why::Missing(spec.fields.iter().find(|it| it.name == name).unwrap().name));
                prop_assert!(!is_optional);
            }
        }
    }

    #[test]
    fn a_doubled_or_unknown_field_is_noticed((spec, stream, mut fields) in record(), at in any::<prop::sample::Index>(), double: bool) {
        prop_assume!(!fields.is_empty());
        let more = if double {
            fields[at.index(fields.len())].clone()
        } else {
            "other=0".to_owned()
        };
        let name = more.split_once('=').unwrap().0.to_owned();
        fields.insert(at.index(fields.len()), more);
        let why = refused(&line(stream, spec.kind, &fields), stream, |it| it.to_string());
        let what = if double { "two fields" } else { "does not belong" };
        prop_assert!(why.contains(&name) && why.contains(what), "{}", why);
    }

    #[test]
    fn a_malformed_value_is_noticed((spec, stream, mut fields) in record(), at in any::<prop::sample::Index>(), value in "[ -<>-}]{0,12}") {
        prop_assume!(!fields.is_empty() && !value.contains(' '));
        let at = at.index(fields.len());
        let name = fields[at].split_once('=').unwrap().0.to_owned();
        fields[at] = format!("{name}={value}");
        let line = line(stream, spec.kind, &fields);
        let record = parse(&line, channel(stream)).unwrap().unwrap();
        // Either it is a value of its form, and then would be written so, or it is refused.
        match Message::try_from(record) {
            Ok(message) => prop_assert_eq!(written(stream, &message), line),
            Err(error) => {
                let is_named = matches!(error.why, Why::Value { field, found, .. } if field == name && found == value);
                prop_assert!(is_named, "{}", error);
            }
        }
    }

    #[test]
    fn a_line_of_another_key_is_refused((spec, stream, fields) in record(), key: [u8; 16]) {
        prop_assume!(stream.is_keyed() && Key::new(key) != KEY);
        let whole = line(stream, spec.kind, &fields);
        let forged = Some(Err(ParseError::Forged(stream)));
        prop_assert_eq!(parse(&whole, Channel::Console(Some(Key::new(key)))), forged);
        let not_here = Some(Err(ParseError::NotHere(stream)));
        for channel in [Channel::Console(None), Channel::Log, Channel::Requests] {
            prop_assert_eq!(parse(&whole, channel), not_here);
        }
    }

    #[test]
    fn no_line_of_the_protocol_s_own_characters_panics(text in "[%swghmar 0~=:x]{0,16}") {
        for channel in [Channel::Console(Some(KEY)), Channel::Log, Channel::Requests] {
            for line in [text.clone(), format!("%sw {text}"), format!("%sw {text} ~00000000")] {
                prop_assert!(!matches!(parse(&line, channel), Some(Ok(_))), "{}", line);
            }
        }
    }

    #[test]
    fn no_input_panics(text in ".*", letter in "[ghmar]", kind in "[a-z_]{0,5}") {
        for channel in [Channel::Console(Some(KEY)), Channel::Console(None), Channel::Log, Channel::Requests] {
            let _ = parse(&text, channel);
            let _ = parse(&format!("%sw {text}"), channel);
        }
        let body = format!("%sw {letter} 0 {kind} {text}");
        let whole = format!("{body} ~{:08x}", crc32(body.as_bytes()));
        for channel in [Channel::Console(None), Channel::Log, Channel::Requests] {
            if let Some(Ok(record)) = parse(&whole, channel) {
                let _ = Message::try_from(record);
            }
        }
    }
}

/// The first line of a writer.
fn first<S: Speaker, K: setway_protocol::Kind>(mut writer: RecordWriter<S>, record: &K) -> String {
    let mut line = String::new();
    writer.write(&mut line, record).unwrap();
    line
}

const MARK: Mark = Mark {
    n: 0,
    set_way: 1,
    vm_reg: 2,
    flush: 1,
};

#[test]
fn a_line_is_as_the_manual_says() {
    let name = format_args!("{} {}", "a=b", "~%é");
    let check = Check {
        of: CheckKind::Register,
        name: name.into(),
        want: setway_protocol::Hex(0x11),
        got: setway_protocol::Hex(0),
        from: None,
        detail: None,
    };
    let body = "%sw g 0 check of=register name=a%3Db%20%7E%25%C3%A9 want=0x11 got=0x0";
    let crc = crc32(body.as_bytes());
    assert_eq!(
        first(RecordWriter::<Guest>::new(), &check),
        format!("{body} ~{crc:08x}\r\n")
    );
    let mut out = String::new();
    let mut records = RecordWriter::<Hypervisor>::keyed(KEY);
    records.write(&mut out, &MARK).unwrap();
    records.end(&mut out).unwrap();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[1].starts_with("%sw h 1 end records=1 ~"));
    assert_eq!(lines[1].rsplit_once('~').unwrap().1.len(), 16);
    assert_eq!(read(lines[0], Stream::Hypervisor), Message::Mark(MARK));
}

#[test]
fn nobody_speaks_for_another() {
    let console = Channel::Console(Some(KEY));
    // A guest that knows the protocol, but not the key.
    for seal in [Seal::Checksum, Seal::Keyed(Key::default())] {
        let hypervisor = first(RecordWriter::<Hypervisor>::with_seal(seal), &MARK);
        let forged = Some(Err(ParseError::Forged(Stream::Hypervisor)));
        assert_eq!(parse(&hypervisor, console), forged);
        let over = Over {
            n: 1,
            end: GuestEnd::Off,
            msg: None,
        };
        let agent = first(RecordWriter::<Agent>::with_seal(seal), &over);
        assert_eq!(
            parse(&agent, console),
            Some(Err(ParseError::Forged(Stream::Agent)))
        );
    }
    // The cache model is heard in the log alone, and nobody else is.
    let end = setway_protocol::record::End { records: 0 };
    let model = first(RecordWriter::<Model>::new(), &end);
    assert_eq!(
        parse(&model, console),
        Some(Err(ParseError::NotHere(Stream::Model)))
    );
    assert!(matches!(parse(&model, Channel::Log), Some(Ok(_))));
    let guest = first(RecordWriter::<Guest>::new(), &end);
    for channel in [Channel::Log, Channel::Requests] {
        assert_eq!(
            parse(&guest, channel),
            Some(Err(ParseError::NotHere(Stream::Guest)))
        );
    }
    // The guest's own stream is not sealed with a key.
    let guest = first(RecordWriter::<Guest>::with_seal(Seal::Keyed(KEY)), &end);
    assert_eq!(parse(&guest, console), Some(Err(ParseError::NoSeal)));
}

#[test]
fn other_output_is_no_record() {
    let console = Channel::Console(None);
    assert_eq!(parse("U-Boot 2024.01", console), None);
    assert_eq!(parse("%sw g 0", console), Some(Err(ParseError::NoSeal)));
    assert_eq!(parse("%sw ~", console), Some(Err(ParseError::BadHeader)));
}

#[test]
fn what_is_wrong_with_a_record_is_named() {
    let why = |kind, fields: &[&str]| {
        let fields: Vec<String> = fields.iter().map(|it| (*it).to_owned()).collect();
        refused(&line(Stream::Guest, kind, &fields), Stream::Guest, |it| {
            it.to_string()
        })
    };
    assert_eq!(why("mark", &[]), "the guest has no record `mark`");
    assert_eq!(why("case", &[]), "the record `case` has no field `id`");
    assert_eq!(
        why("case", &["id=a", "id=a"]),
        "the record `case` has two fields `id`"
    );
    assert_eq!(
        why("case", &["id=a", "x=1"]),
        "the record `case` has a field `x`, which does not belong there"
    );
    assert_eq!(
        why("program", &["seed=0x1", "digest=0x1"]),
        "the field `seed` of the record `program` is `0x1`, and must be a number in decimal"
    );
    assert_eq!(
        why("cache", &["level=1", "type=2", "ccsidr=0x0"]),
        "the field `type` of the record `cache` is `2`, and must be one of `i` `d` `u`"
    );
}

#[test]
fn a_record_is_read_as_its_own_kind_only() {
    let line = first(RecordWriter::<Hypervisor>::keyed(KEY), &MARK);
    let record: Record<'_> = parse(&line, Channel::Console(Some(KEY))).unwrap().unwrap();
    assert_eq!(Mark::try_from(record), Ok(MARK));
    assert!(Stale::try_from(record).is_err());
}

#[test]
fn every_kind_can_be_told_from_the_others() {
    for (n, kind) in KINDS.iter().enumerate() {
        for other in &KINDS[..n] {
            let both = kind.by.iter().find(|stream| other.by.contains(stream));
            assert!(kind.kind != other.kind || both.is_none(), "{kind:?}");
        }
        let names = kind.fields.iter().map(|field| field.name);
        let once: std::collections::BTreeSet<&str> = names.clone().collect();
        assert_eq!(once.len(), names.count(), "{kind:?}");
    }
}

#[test]
fn the_manual_page_is_that_of_the_table() {
    let page = include_str!("../RECORDS.md");
    assert!(
        page == setway_protocol::Manual.to_string(),
        "next: cargo run -p setway-protocol --example manual > payloads/protocol/RECORDS.md"
    );
}

#[test]
fn the_requester_asks_in_its_own_stream() {
    let run = setway_protocol::record::Run {
        n: 1,
        image: "a b".into(),
        isa: setway_protocol::word::InstructionSet::A64,
        vcpus: 1,
        seconds: 10,
        arguments: "".into(),
    };
    let line = first(RecordWriter::<Requester>::new(), &run);
    assert_eq!(read(&line, Stream::Requester), Message::Run(run));
}
