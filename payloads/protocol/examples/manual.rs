//! Prints the manual page of the records.

fn main() {
    print!("{}", setway_protocol::Manual);
}
