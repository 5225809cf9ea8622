//! A finding as a mail to those who write the hypervisor: plain text that their list accepts, in their terms, with what
//! is needed to see it without Setway.

use crate::catalog::finding::Finding;

use super::prose;

/// The longest line of a mail, as a reply still fits into 80 columns with its quotation marks.
pub const COLUMNS: usize = 76;

/// What Setway is, for readers who have not heard of it.
const ABOUT: &str = "\
Found by Setway, a suite that boots bare-metal guests under a hypervisor, issues cache maintenance by set/way and turns \
caches on and off, and counts traps and flushes from outside. In its checkout, this shows it on a simulated machine, \
without root (it fetches hypervisor and QEMU from Debian):";

/// The mail.
pub fn text(finding: &Finding) -> String {
    let mut mail = Mail::default();
    let upstream = &finding.upstream;
    mail.header("To", &upstream.list);
    mail.header("Subject", &format!("{}: {}", upstream.area, finding.title));
    mail.blank();
    mail.prose(&finding.happened);
    for (heading, text) in [
        ("Where", &finding.place),
        ("Since", &finding.since),
        ("Expected", &finding.expected),
        ("Reference", &finding.reference),
    ] {
        mail.heading(heading);
        mail.prose(text);
    }
    mail.heading("To reproduce");
    mail.code(&finding.reproducer);
    mail.heading("Observed");
    mail.prose(&finding.evidence);
    mail.heading("Suggestion");
    mail.prose(&finding.suggestion);
    mail.heading("State upstream");
    mail.prose(&upstream.known);
    if let Some(fixed) = &upstream.fixed {
        mail.blank();
        mail.prose(&format!(
            "Fixed by {} (\"{}\"), first in {}.",
            fixed.commit, fixed.title, fixed.version
        ));
    }
    mail.heading("With Setway");
    mail.prose(ABOUT);
    mail.blank();
    mail.code(&format!("  {}", finding.repeat));
    mail.blank();
    mail.prose(&format!("Tried with {}.", finding.hypervisors.join(", ")));
    mail.0
}

/// A mail as far as it is written.
#[derive(Default)]
struct Mail(String);

impl Mail {
    /// A header, folded as RFC 5322, 2.2.3, has it: a line that goes on begins with a space.
    fn header(&mut self, name: &str, text: &str) {
        let lines = prose::wrap(&format!("{name}: {text}"), COLUMNS - 1);
        self.0 += &lines.join("\n ");
        self.blank();
    }

    fn heading(&mut self, text: &str) {
        let line = "-".repeat(text.len());
        self.0 += &format!("\n{text}\n{line}\n");
    }

    fn prose(&mut self, text: &str) {
        for line in prose::flow(text, COLUMNS) {
            self.0 += &format!("{line}\n");
        }
    }

    /// Lines that are not to be broken.
    fn code(&mut self, text: &str) {
        self.0 += &format!("{}\n", text.trim_matches('\n'));
    }

    fn blank(&mut self) {
        self.0.push('\n');
    }
}
