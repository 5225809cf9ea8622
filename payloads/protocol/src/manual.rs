//! The manual page of the records.

use core::fmt;

use crate::{Form, KindSpec, PREFIX, Stream, VERSION, WordSpec, record::KINDS};

/// The manual page `RECORDS.md`, in Markdown.
#[derive(Clone, Copy, Debug)]
pub struct Manual;

/// What comes before the kinds.
const ABOUT: &str = "\
How guests, hypervisors, agents and the cache model say what they saw, so that others can read it without this
project's code. This page is made of the table in `src/record.rs`, by
`cargo run -p setway-protocol --example manual`; a test fails if it is not.

## A line
Each record is one line:

```text
%sw g 3 check of=register name=x19 want=0x11 got=0x11 ~5a0f96b7
```

* A line can begin with other text; the record begins with the last `%sw ` on it and ends before the line's end,
  which is CR and LF.
* A letter says whose stream it belongs to, and a number in decimal is its place there, from 0. Nothing may be
  missing, come twice, or follow the stream's `end`.
* The kind, and then fields `NAME=VALUE` in any order, each after one space. A reader refuses a record with an
  unknown kind, and one with a field that is unknown, missing, doubled or not written as this page says.
* The seal: a space, `~`, and small hexadecimal digits. They are computed over all bytes from `%sw ` to before
  that space.

| stream | letter | channel | seal |
|---|---|---|---|
";

/// What comes between the streams and the kinds.
const SEALS: &str = "
*CRC-32* is that of Ethernet and zip (CRC-32/ISO-HDLC), in 8 digits. *SipHash* is SipHash-2-4 with the 128-bit key
of the boot, in 16 digits, the most significant one first. Hypervisor and agent are given the key as `key=` and 32
digits on their command lines, where no guest can read it, the byte of lowest address first; without one they use 16
bytes of zeros. A line that is sealed otherwise, or comes on another channel, is forged.

## Values
Each value has one form, and no other is read.

* decimal: a number below 2^64, without leading zeros.
* hexadecimal: such a number after `0x`, in lower-case digits.
* flag: `0` or `1`.
* text: UTF-8, in which every byte that is no visible ASCII character, and `%`, `=` and `~`, is written `%XX`, in
  capital hexadecimal digits.
* bytes: two small hexadecimal digits each.
* actor: who does something: the number of a CPU, and for a program `:EL:PC`, as in `0:1:0x40200000`; without
  that it is the CPU's hardware, of its own accord.
* whereabouts: `cache:CPU` for the private cache of that CPU, `system-cache`, `memory`, or `lost` for nowhere.
* a list of words: one of them. *word*`:`actor: one of the words, and who did it.

A field in brackets may be missing.
";

impl fmt::Display for Manual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "# Records, version {VERSION}\n{ABOUT}")?;
        for stream in Stream::ALL {
            let seal = if stream.is_keyed() {
                "SipHash"
            } else {
                "CRC-32"
            };
            let channel = match stream {
                Stream::Model => "QEMU's log",
                Stream::Requester => "what the agent reads",
                _ => "console",
            };
            let (speaker, letter) = (stream.speaker(), stream.letter());
            writeln!(f, "| {speaker} | `{letter}` | {channel} | {seal} |")?;
        }
        f.write_str(SEALS)?;
        for stream in Stream::ALL {
            let speaker = stream.speaker();
            writeln!(f, "\n## What {speaker} says")?;
            let mut kinds = KINDS.iter().filter(|kind| kind.is_spoken_by(stream));
            kinds.try_for_each(|spec| kind(f, stream, spec))?;
        }
        Ok(())
    }
}

fn kind(f: &mut fmt::Formatter<'_>, stream: Stream, spec: &KindSpec) -> fmt::Result {
    write!(f, "\n### `{} {}`\n", stream.letter(), spec.kind)?;
    for line in spec.doc {
        writeln!(f, "{}", line.trim())?;
    }
    if spec.fields.is_empty() {
        return Ok(());
    }
    f.write_str("\n| field | form | |\n|---|---|---|\n")?;
    for field in spec.fields {
        let (open, close) = if field.is_optional {
            ("[", "]")
        } else {
            ("", "")
        };
        write!(f, "| {open}`{}`{close} | ", field.name)?;
        form(f, field.form)?;
        f.write_str(" |")?;
        for line in field.doc {
            write!(f, " {}", line.trim())?;
        }
        if let Form::Word(words) | Form::Deed(words) = field.form {
            meanings(f, words)?;
        }
        f.write_str(" |\n")?;
    }
    Ok(())
}

fn form(f: &mut fmt::Formatter<'_>, form: Form) -> fmt::Result {
    let words = |f: &mut fmt::Formatter<'_>, words: &[WordSpec]| {
        let mut separator = "";
        words.iter().try_for_each(|it| {
            write!(f, "{separator}`{}`", it.word)?;
            separator = ", ";
            Ok(())
        })
    };
    match form {
        Form::Decimal => f.write_str("decimal"),
        Form::Hexadecimal => f.write_str("hexadecimal"),
        Form::Flag => f.write_str("flag"),
        Form::Text => f.write_str("text"),
        Form::Bytes => f.write_str("bytes"),
        Form::Whereabouts => f.write_str("whereabouts"),
        Form::Actor => f.write_str("actor"),
        Form::Word(all) => words(f, all),
        Form::Deed(all) => {
            words(f, all)?;
            f.write_str(", each with `:` and an actor")
        }
    }
}

fn meanings(f: &mut fmt::Formatter<'_>, words: &[WordSpec]) -> fmt::Result {
    words.iter().try_for_each(|it| {
        let doc = it.doc.trim().trim_end_matches('.');
        write!(f, " `{}`: {doc}.", it.word)
    })
}

const _: () = assert!(PREFIX.len() == 4, "the page has the prefix written out");
